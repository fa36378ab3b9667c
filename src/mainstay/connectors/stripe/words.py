"""Stripe's words and ours. Every word that Stripe documents stands here; another one is never guessed.

Sources: the enumerations of Stripe's published API description, as generated into stripe-python 16.1.0 (API version 2026-10-28);
https://docs.stripe.com/reports/reporting-categories; https://docs.stripe.com/currencies (zero-decimal currencies and special cases).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeVar

from mainstay.model.failures import Reject
from mainstay.model.money import decimals
from mainstay.model.objects import DisputeStatus, PaymentStatus, RefundStatus

T = TypeVar("T")
PayoutStatus = Literal["scheduled", "in_transit", "paid", "failed", "cancelled"]
SettlementKind = Literal["charge", "refund", "fee", "dispute", "adjustment", "payout", "transfer", "other"]

INTENT_STATUS: dict[str, PaymentStatus] = {
    "requires_payment_method": "pending",  # with a last_payment_error: failed
    "requires_confirmation": "pending",
    "requires_action": "pending",
    "processing": "pending",
    "requires_capture": "authorised",
    "succeeded": "captured",
    "canceled": "voided",
}
CHARGE_STATUS: dict[str, PaymentStatus] = {"pending": "pending", "failed": "failed", "succeeded": "captured"}  # uncaptured: authorised
REFUND_STATUS: dict[str, RefundStatus] = {
    "pending": "pending", "requires_action": "pending", "succeeded": "succeeded", "failed": "failed", "canceled": "cancelled",
}  # fmt: skip
DISPUTE_STATUS: dict[str, DisputeStatus] = {
    "warning_needs_response": "needs_response",
    "needs_response": "needs_response",
    "appeal_needs_response": "needs_response",
    "warning_under_review": "under_review",
    "under_review": "under_review",
    "appeal_under_review": "under_review",
    "won": "won",
    "lost": "lost",
    "warning_closed": "closed",
    "prevented": "closed",
}
PAYOUT_STATUS: dict[str, PayoutStatus] = {
    "pending": "scheduled", "in_transit": "in_transit", "paid": "paid", "failed": "failed", "canceled": "cancelled",
}  # fmt: skip

# How far along a status is. Stripe's clock counts seconds; of two statements of one second the one further along is the later.
PROGRESS: dict[str, int] = {
    "pending": 0, "failed": 1, "authorised": 2, "captured": 3, "part_refunded": 4, "refunded": 5, "voided": 6, "expired": 6,
}  # fmt: skip
REFUND_PROGRESS: dict[str, int] = {"pending": 0, "succeeded": 1, "failed": 2, "cancelled": 2}  # a refund that succeeded may still fail
DISPUTE_PROGRESS: dict[str, int] = {"needs_response": 0, "under_review": 1, "won": 2, "lost": 2, "closed": 2}
PAYOUT_PROGRESS: dict[str, int] = {"scheduled": 0, "in_transit": 1, "paid": 2, "failed": 3, "cancelled": 3}  # paid may turn to failed

SETTLEMENT_KIND: dict[str, SettlementKind] = {
    "charge": "charge",
    "charge_failure": "charge",
    "partial_capture_reversal": "charge",  # what was authorised and not captured: takes back part of the charge, is no refund
    "refund": "refund",
    "refund_failure": "refund",
    "dispute": "dispute",
    "dispute_reversal": "dispute",
    "fee": "fee",
    "network_cost": "fee",
    "tax": "fee",
    "payout": "payout",
    "payout_reversal": "payout",
    "transfer": "transfer",
    "transfer_reversal": "transfer",
    "topup": "transfer",
    "topup_reversal": "transfer",
    "platform_earning": "transfer",
    "platform_earning_refund": "transfer",
    "connect_collection_transfer": "transfer",
    "connect_reserved_funds": "adjustment",
    "risk_reserved_funds": "adjustment",
    "other_adjustment": "adjustment",
    "unreconciled_customer_funds": "adjustment",
    "advance": "other",
    "advance_funding": "other",
    "anticipation_repayment": "other",
    "climate_order_purchase": "other",
    "climate_order_refund": "other",
    "contribution": "other",
    "financing_paydown": "other",
    "financing_paydown_reversal": "other",
    "financing_payout": "other",
    "financing_payout_reversal": "other",
    "issuing_authorization_hold": "other",
    "issuing_authorization_release": "other",
    "issuing_dispute": "other",
    "issuing_transaction": "other",
}

# What a balance transaction's source is, by the prefix of its id.
SOURCE_KIND: dict[str, str] = {
    "ch": "payment", "py": "payment", "re": "refund", "pyr": "refund", "dp": "dispute", "du": "dispute", "pdp": "dispute", "po": "payout",
}  # fmt: skip

# Decimals that Stripe counts in where they are not those of ISO 4217.
STRIPE_DECIMALS = {"ISK": 2, "UGX": 2, "MGA": 0}

# Event types that Stripe documents (or once did) and that say nothing of payments, refunds, disputes or payouts.
_NOT_BUSINESS = (
    "account.application.authorized account.application.deauthorized account.external_account.created account.external_account.deleted "
    "account.external_account.updated account.updated application_fee.created application_fee.refund.updated application_fee.refunded "
    "apps.install.created apps.install.deleted apps.install.updated balance.available balance_settings.updated billing.alert.triggered "
    "billing.credit_balance_transaction.created billing.credit_grant.created billing.credit_grant.updated billing.meter.created "
    "billing.meter.deactivated billing.meter.reactivated billing.meter.updated billing_portal.configuration.created "
    "billing_portal.configuration.updated billing_portal.session.created capability.updated cash_balance.funds_available "
    "checkout.session.async_payment_failed checkout.session.async_payment_succeeded checkout.session.completed checkout.session.expired "
    "climate.order.canceled climate.order.created climate.order.delayed climate.order.delivered climate.order.product_substituted "
    "climate.product.created climate.product.pricing_updated coupon.created coupon.deleted coupon.updated credit_note.created "
    "credit_note.updated credit_note.voided customer.created customer.deleted customer.discount.created customer.discount.deleted "
    "customer.discount.updated customer.source.created customer.source.deleted customer.source.expiring customer.source.updated "
    "customer.subscription.created customer.subscription.deleted customer.subscription.paused "
    "customer.subscription.pending_update_applied customer.subscription.pending_update_expired customer.subscription.resumed "
    "customer.subscription.trial_will_end customer.subscription.updated customer.tax_id.created customer.tax_id.deleted "
    "customer.tax_id.updated customer.updated customer_cash_balance_transaction.created entitlements.active_entitlement_summary.updated "
    "file.created financial_connections.account.account_numbers_updated financial_connections.account.created "
    "financial_connections.account.deactivated financial_connections.account.disconnected "
    "financial_connections.account.expected_deactivation_date_updated financial_connections.account.reactivated "
    "financial_connections.account.refreshed_balance financial_connections.account.refreshed_ownership "
    "financial_connections.account.refreshed_transactions financial_connections.account.supported_payment_method_types_updated "
    "financial_connections.account.upcoming_account_number_expiry financial_connections.account.upcoming_deactivation "
    "financial_connections.authorization.expected_deactivation_date_updated financial_connections.authorization.upcoming_deactivation "
    "identity.verification_session.canceled identity.verification_session.created identity.verification_session.processing "
    "identity.verification_session.redacted identity.verification_session.requires_input identity.verification_session.verified "
    "invoice.created invoice.deleted invoice.finalization_failed invoice.finalized invoice.marked_uncollectible invoice.overdue "
    "invoice.overpaid invoice.paid invoice.payment_action_required invoice.payment_attempt_required invoice.payment_failed "
    "invoice.payment_succeeded invoice.sent invoice.upcoming invoice.updated invoice.voided invoice.will_be_due invoice_payment.paid "
    "invoiceitem.created invoiceitem.deleted invoiceitem.updated issuing_authorization.created issuing_authorization.request "
    "issuing_authorization.updated issuing_card.created issuing_card.updated issuing_cardholder.created issuing_cardholder.updated "
    "issuing_dispute.closed issuing_dispute.created issuing_dispute.funds_reinstated issuing_dispute.funds_rescinded "
    "issuing_dispute.submitted issuing_dispute.updated issuing_personalization_design.activated "
    "issuing_personalization_design.deactivated issuing_personalization_design.rejected issuing_personalization_design.updated "
    "issuing_token.created issuing_token.updated issuing_transaction.created issuing_transaction.purchase_details_receipt_updated "
    "issuing_transaction.updated mandate.updated payment_link.created payment_link.updated payment_method.attached "
    "payment_method.automatically_updated payment_method.detached payment_method.updated person.created person.deleted person.updated "
    "plan.created plan.deleted plan.updated price.created price.deleted price.updated product.created product.deleted product.updated "
    "promotion_code.created promotion_code.updated quote.accepted quote.canceled quote.created quote.finalized "
    "radar.early_fraud_warning.created radar.early_fraud_warning.updated reporting.report_run.failed reporting.report_run.succeeded "
    "reporting.report_type.updated reserve.hold.created reserve.hold.updated reserve.plan.created reserve.plan.disabled "
    "reserve.plan.expired reserve.plan.updated reserve.release.created review.closed review.opened setup_intent.canceled "
    "setup_intent.created setup_intent.requires_action setup_intent.setup_failed setup_intent.succeeded "
    "sigma.scheduled_query_run.created source.canceled source.chargeable source.failed source.mandate_notification "
    "source.refund_attributes_required source.transaction.created source.transaction.updated subscription_schedule.aborted "
    "subscription_schedule.canceled subscription_schedule.completed subscription_schedule.created subscription_schedule.expiring "
    "subscription_schedule.released subscription_schedule.updated tax.settings.updated tax_rate.created tax_rate.updated "
    "terminal.reader.action_failed terminal.reader.action_succeeded terminal.reader.action_updated test_helpers.test_clock.advancing "
    "test_helpers.test_clock.created test_helpers.test_clock.deleted test_helpers.test_clock.internal_failure "
    "test_helpers.test_clock.ready three_d_secure.authentication.canceled three_d_secure.authentication.challenge_started "
    "three_d_secure.authentication.errored three_d_secure.authentication.failed three_d_secure.authentication.requires_challenge "
    "three_d_secure.authentication.requires_submission three_d_secure.authentication.succeeded topup.canceled topup.created "
    "topup.failed topup.reversed topup.succeeded transfer.created transfer.failed transfer.paid transfer.reversed transfer.updated "
    "treasury.credit_reversal.created treasury.credit_reversal.posted treasury.debit_reversal.completed treasury.debit_reversal.created "
    "treasury.debit_reversal.initial_credit_granted treasury.financial_account.closed treasury.financial_account.created "
    "treasury.financial_account.features_status_updated treasury.inbound_transfer.canceled treasury.inbound_transfer.created "
    "treasury.inbound_transfer.failed treasury.inbound_transfer.succeeded treasury.outbound_payment.canceled "
    "treasury.outbound_payment.created treasury.outbound_payment.expected_arrival_date_updated treasury.outbound_payment.failed "
    "treasury.outbound_payment.posted treasury.outbound_payment.returned treasury.outbound_payment.tracking_details_updated "
    "treasury.outbound_transfer.canceled treasury.outbound_transfer.created treasury.outbound_transfer.expected_arrival_date_updated "
    "treasury.outbound_transfer.failed treasury.outbound_transfer.posted treasury.outbound_transfer.returned "
    "treasury.outbound_transfer.tracking_details_updated treasury.received_credit.created treasury.received_credit.failed "
    "treasury.received_credit.succeeded treasury.received_debit.created"
)
NOT_BUSINESS: tuple[str, ...] = tuple(_NOT_BUSINESS.split())


def ours(table: Mapping[str, T], word: str, what: str) -> T:
    """Our word for Stripe's; Reject `unknown_word` names it and the known ones."""
    found = table.get(word)
    if found is None:
        raise Reject(f"Stripe's {what} {word!r} is unknown; known: {', '.join(sorted(table))}", "unknown_word")
    return found


def to_minor(amount: int, currency: str) -> int:
    """Stripe's amount in minor units of ISO 4217: 500 of "ISK" is 5 krónur."""
    if currency not in STRIPE_DECIMALS:
        return amount
    return _rescale(amount, STRIPE_DECIMALS[currency], decimals(currency), currency)


def from_minor(amount: int, currency: str) -> int:
    """The reverse of `to_minor`, for amounts that we send."""
    if currency not in STRIPE_DECIMALS:
        return amount
    return _rescale(amount, decimals(currency), STRIPE_DECIMALS[currency], currency)


def _rescale(amount: int, have: int, want: int, currency: str) -> int:
    """`amount` with `have` decimals as a whole number with `want` decimals; Reject `scale` where something would be lost."""
    scaled, rest = divmod(amount * 10**want, 10**have)
    if rest:
        raise Reject(f"{amount} with {have} decimals of {currency} is not whole with {want}", "scale")
    return int(scaled)
