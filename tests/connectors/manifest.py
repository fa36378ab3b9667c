"""What lies in ../shared/vendor of the five vendors whose connectors are ours, file by file: `test_manifest.py` holds it against the folder.

A file is either inbound business, and then INBOUND says what each of its documents becomes (the statements, or the code of the dead
letter, as read off the payload), or it stands under ASIDE with the reason why it is none. A file more or less anywhere fails.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mainstay.app.workshop import translator

# ruff: noqa: E501
VENDORS = ("shopify", "amazon", "stripe", "tryton", "shipstation")
WHOLE = "OrderSeen FulfilmentSeen RefundSeen"  # Shopify's one big sample order: a failed parcel and a refund of two lines
PACKED = "OrderSeen FulfilmentSeen"
ORDER, CANCEL = "rest-docs/order/2024_01-put-orders-450789469-json-{:04}", "rest-docs/order/2026_07-post-orders-450789469-cancel-json-{:04}"
GRAPHQL: Mapping[str, str] = {"graphql/order": "gid://shopify/Order/", "graphql/inventory_level": "gid://shopify/InventoryLevel/"}

Becomes = list[str]
# vendor -> (topic, what each document of the file becomes, files without their ".json")
INBOUND: dict[str, list[tuple[str, Becomes, list[str]]]] = {}
# vendor -> (class, pattern, how many files it leaves aside that are not inbound, why)
ASIDE: dict[str, list[tuple[str, str, int, str]]] = {}

# Classes of what is not inbound business.
UNASKED = "unasked"  # an answer to a question that we do not ask, of a kind that no webhook of ours carries
DONE = "done"  # an answer that only says that something was done, or how many there are
TALK = "talk"  # an answer that is read within a conversation and becomes an outcome, not a statement
REFUSED = "refused"  # a request that was refused
DESCRIBED = "described"  # specifications, schemas, vocabularies
EXPORTED = "exported"  # tables and reports that someone exported: no call of ours gives them
SENT = "sent"  # what goes to the vendor

# --- Shopify -----------------------------------------------------------------------------------------------------------------
INBOUND["shopify"] = [
    ("orders/updated", [WHOLE], [f"rest-docs/order/2024_01-get-orders-json-{n}" for n in ("0350", "0352", "0353")]),
    ("orders/updated", [WHOLE], ["rest-docs/order/2024_01-get-orders-450789469-json-0356", "rest-docs/order/2026_07-get-orders-json-0176"]),
    ("orders/updated", [WHOLE], [f"rest-docs/customer/2026_07-get-customers-207119551-orders-json-{n}" for n in ("0048", "0049")]),
    ("orders/cancelled", [WHOLE], ["rest-docs/order/2024_01-post-orders-450789469-cancel-json-0362", CANCEL.format(187)]),
    ("orders/cancelled", ["Hint"], [CANCEL.format(189)]),  # a gift card paid a part of it: which, only the order itself says
    ("orders/updated", [WHOLE], ["rest-docs/order/2026_07-post-orders-450789469-close-json-0185"]),
    ("orders/updated", [WHOLE], ["rest-docs/order/2026_07-post-orders-450789469-open-json-0186"]),
    ("orders/updated", [WHOLE], [ORDER.format(n) for n in (373, 374, 376, 378, 379, 380)]),
    ("orders/updated", [WHOLE], [f"rest-docs/order/2026_07-put-orders-450789469-json-{n:04}" for n in (199, 200, 201, 202, 204, 205, 206, 207)]),
    ("orders/create", ["OrderSeen"], ["rest-docs/order/2024_01-get-orders-json-0354", "rest-docs/order/2026_07-get-orders-json-0180"]),
    ("orders/create", ["OrderSeen"], [f"rest-docs/order/2024_01-post-orders-json-{n:04}" for n in (364, 365, 366, 371, 372)]),
    ("orders/create", ["OrderSeen"], [f"rest-docs/order/2026_07-post-orders-json-{n:04}" for n in (190, 191, 192, 194, 197)]),
    ("orders/create", [PACKED], [f"rest-docs/order/2024_01-post-orders-json-{n:04}" for n in (367, 370)]),
    ("orders/create", [PACKED], ["rest-docs/order/2026_07-post-orders-json-0196"]),
    # asked for with ?fields=…, or older than line items in a listing: they do not say enough
    ("orders/updated", ["schema"], ["rest-docs/order/2024_01-get-orders-450789469-json-0355", "rest-docs/order/2024_01-get-orders-json-0351"]),
    ("orders/updated", ["schema"], ["rest-docs/order/2026_07-get-orders-450789469-json-0181", "rest-fixtures/orders"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2024_01-get-orders-450789469-refunds-509562969-json-0386", "rest-fixtures/refund"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2024_01-get-orders-450789469-refunds-json-0383"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2024_01-post-orders-450789469-refunds-json-0385"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2026_07-get-orders-450789469-refunds-509562969-json-0258"]),
    ("refunds/create", ["RefundSeen"], ["rest-docs/refund/2026_07-post-orders-450789469-refunds-json-0257"]),
    # a calculation is a suggestion without an id
    ("refunds/create", ["schema"], [f"rest-docs/refund/2024_01-post-orders-450789469-refunds-calculate-json-{n}" for n in ("0387", "0388", "0389")]),
    ("refunds/create", ["schema"], [f"rest-docs/refund/2026_07-post-orders-450789469-refunds-calculate-json-{n}" for n in ("0259", "0260")]),
    ("refunds/create", ["schema"], ["rest-fixtures/refund_calculate"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-get-fulfillment-orders-1046000819-fulfillments-json-0125"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-get-orders-450789469-fulfillments-255858046-json-0127"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-get-orders-450789469-fulfillments-json-0123"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-post-fulfillments-1069019866-update-tracking-json-0134"]),
    ("fulfillments/update", ["FulfilmentSeen"], ["rest-docs/fulfillment/2026_07-post-fulfillments-1069019879-cancel-json-0135"]),
    ("fulfillments/create", ["FulfilmentSeen"], [f"rest-docs/fulfillment/2026_07-post-fulfillments-json-{n}" for n in ("0128", "0129", "0132")]),
    ("fulfillments/create", ["FulfilmentSeen"], ["rest-fixtures/fulfillment"]),
    ("inventory_levels/update", ["StockCounted"], [f"rest-docs/inventory_level/2024_01-post-inventory-levels-{n}" for n in ("adjust-json-0345", "connect-json-0347", "set-json-0348")]),
    ("inventory_levels/update", ["StockCounted"], [f"rest-docs/inventory_level/2026_07-post-inventory-levels-{n}" for n in ("adjust-json-0161", "set-json-0164")]),
    ("inventory_levels/update", ["StockCounted"] * 4, ["rest-docs/inventory_level/2026_07-get-inventory-levels-json-0158", "rest-docs/inventory_level/2026_07-get-inventory-levels-json-0160"]),
    ("inventory_levels/update", ["StockCounted"] * 2, ["rest-docs/inventory_level/2026_07-get-inventory-levels-json-0159", "rest-fixtures/location_inventory_levels"]),
    ("inventory_levels/update", ["StockCounted"] * 4, ["rest-fixtures/inventory_levels"]),
    ("disputes/update", ["DisputeSeen"], ["rest-docs/dispute/2026_07-get-shopify-payments-disputes-598735659-json-0062"]),
    ("disputes/update", ["id_missing"] + ["DisputeSeen"] * 9, ["rest-docs/dispute/2026_07-get-shopify-payments-disputes-json-0060"]),
    ("disputes/update", ["id_missing", "DisputeSeen"], ["rest-docs/dispute/2026_07-get-shopify-payments-disputes-json-0061"]),
    ("disputes/update", ["id_missing"], ["rest-fixtures/dispute"]),
    ("products/update", ["ProductSeen"], ["rest-docs/product/2026_07-get-products-632910392-json-0231"]),
    ("products/update", ["ProductSeen"] * 2, [f"rest-docs/product/2026_07-get-products-json-{n}" for n in ("0224", "0227")]),
    ("products/update", ["schema"] * 2, ["rest-docs/product/2026_07-get-products-json-0228"]),
    ("products/create", ["ProductSeen"], [f"rest-docs/product/2026_07-post-products-json-{n:04}" for n in (246, 247, 248, 250, 252, 253, 254)]),
    ("products/update", ["ProductSeen"], [f"rest-docs/product/2026_07-put-products-632910392-json-{n:04}" for n in (234, 236, 237, 238, 239, 241, 242, 244)]),
    ("customers/update", ["CustomerSeen"], [f"rest-docs/customer/2026_07-get-customers-json-{n}" for n in ("0023", "0024")]),
    ("customers/update", ["CustomerSeen"], [f"rest-docs/customer/2026_07-get-customers-search-json-{n}" for n in ("0029", "0030")]),
    ("customers/update", ["schema"], ["rest-docs/customer/2026_07-get-customers-json-0025", "rest-docs/customer/2026_07-get-customers-search-json-0027"]),
    ("customers/update", ["schema"] * 2, ["rest-docs/customer/2026_07-get-customers-search-json-0031"]),
    ("customers/create", ["CustomerSeen"], [f"rest-docs/customer/2026_07-post-customers-json-{n}" for n in ("0039", "0040")]),
    ("customers/update", ["CustomerSeen"], [f"rest-docs/customer/2026_07-put-customers-207119551-json-{n:04}" for n in (33, 34, 35, 36)]),
    ("customers/update", ["CustomerSeen"], ["rest-fixtures/customer", "rest-fixtures/customers_search", "rest-fixtures/customer_saved_search_customers"]),
]  # fmt: skip

# Recordings of GraphQL in which an answer holds orders or levels, and how many. Their recorder asked for less than our documents do, so
# every one of them is a dead letter that names what is missing; `test_shopify_vendor.py` reads them again with the rest filled in.
RECORDED: list[tuple[str, str, dict[str, int]]] = [
    ("graphql/inventory_level", "products/2025-01", {
        "inventory-node-read-after-write": 10, "inventory-quantity-roots-parity": 4, "inventory-transfer-lifecycle-local-staging": 3,
        "inventory-transfer-mutation-first-hydration": 3, "inventory-transfer-zero-origin-read": 8,
        "inventorySetQuantities-name-validation": 5, "vbts-inventory-linkage-parity": 23,
    }),
    ("graphql/inventory_level", "products/2026-04", {
        "inventory-inactive-level-lifecycle-2026-04": 22, "inventory-item-levels-connection-windowing-2026-04": 24,
        "inventory-move-adjustment-group-shape": 2, "inventory-quantity-contracts-2026-04": 3, "inventorySetQuantities-quantity-bounds": 3,
    }),
    ("graphql/inventory_level", "store-properties/2026-04", {
        "location-lifecycle-validation": 2,
    }),
    ("graphql/order", "b2b/2025-01", {
        "b2b-company-location-order-aggregates": 3,
    }),
    ("graphql/order", "customers/2025-01", {
        "customer-delete-blocked-by-orders": 4,
    }),
    ("graphql/order", "orders/2025-01", {
        "draft-order-duplicate-resets-lifecycle": 1, "fulfillment-cancel-parity": 4, "fulfillment-multi-tracking-info": 5,
        "money-bag-presentment-parity": 3, "order-create-fulfillment-assigned-location": 2, "order-create-math-matrix": 5,
        "order-edit-line-discount-percent-value": 1, "order-edit-residual-calculated-edits": 1, "order-edit-residual-live-capture": 2,
        "orderCreate-state-derived-payment-and-count": 2, "orderOpen-noop-on-already-open": 2, "refund-create-over-refund-user-errors": 3,
        "refund-create-partial-shipping-restock-parity": 3, "refund-create-user-errors-and-quantities": 4,
        "vbts-draft-order-create-from-order-parity": 2, "vbts-fulfillment-cancel-parity": 3,
        "vbts-fulfillment-tracking-info-update-parity": 3, "vbts-order-create-parity": 2,
    }),
    ("graphql/order", "orders/2026-04", {
        "draft-order-complete-payment-terms-pending": 2, "fulfillment-state-preconditions": 2, "order-catalog-count-read": 22,
        "order-delete-snapshot-staging": 2, "order-edit-commit-history-and-fulfillment-orders": 4,
        "order-edit-existing-order-happy-path": 3, "order-edit-existing-order-validation": 2, "order-edit-existing-order-zero-removal": 4,
        "order-edit-money-math": 8, "orderCancel-error-messages": 3, "orderCreateManualPayment-warm-success-parity": 4,
        "orderCustomerRemove-parity": 3, "orderCustomerSet-and-Remove-error-paths": 6, "orderCustomerSet-parity": 3,
        "orderEdit-shipping-line-validation": 1, "orderEditAddCustomItem-validation": 1, "orderMarkAsPaid-snapshot-staging": 6,
        "orderMarkAsPaid-state-and-money": 9, "orderOpen-parity": 3, "orderUpdate-input-validation": 8,
        "orderUpdate-localization-and-staff": 6, "orderUpdate-snapshot-staging": 4, "refund-create-attribution-validation": 2,
        "refund-create-transactions-validation": 6, "return-customer-note-recorded": 3, "return-quantity-validation": 6,
        "return-reason-validation": 3, "return-reverse-logistics-dispose-validation": 4, "return-shipping-fee-recorded": 5,
        "returnApprove-decline-state-preconditions": 6, "vbts-order-merchant-detail-read": 2,
    }),
    ("graphql/order", "payments/2025-01", {
        "payment-reminder-send-additional-guards": 6, "payment-reminder-send-eligibility": 7,
    }),
    ("graphql/order", "payments/2026-04", {
        "order-capture-validation": 4, "order-payment-transaction-void-live": 2, "payment-terms-create-on-order": 1,
        "payment-terms-create-template-reprojection": 3, "payment-terms-update-order-eligibility": 4, "transaction-void-codes": 2,
    }),
    ("graphql/order", "shipping-fulfillments/2026-04", {
        "fulfillment-detail-events-lifecycle": 4, "fulfillment-event-create-validation": 3, "fulfillment-order-close-state": 5,
        "fulfillment-order-hold-validation": 3, "fulfillment-order-merge-validation": 9,
        "fulfillment-order-open-report-progress-preconditions": 60, "fulfillment-order-release-hold-selective": 4,
        "fulfillment-order-split-multi": 2, "fulfillment-top-level-reads": 3,
    }),
]  # fmt: skip
INBOUND["shopify"] += [
    (topic, ["schema"] * held, [f"graphql-recorded/{folder}/{name}"]) for topic, folder, files in RECORDED for name, held in files.items()
]
_DOCS_UNASKED = {
    "abandoned_checkout": 3, "assigned_fulfillment_order": 1, "balance": 1, "cancellation_request": 2, "carrier_service": 4, "checkout": 15,
    "currency": 1, "discount_code": 6, "draft_order": 14, "event": 8, "fulfillment_event": 3, "fulfillment_order": 19,
    "fulfillment_request": 3, "fulfillment_service": 4, "gift_card": 8, "gift_card_adjustment": 4, "inventory_item": 3, "location": 3,
    "locations_for_move": 1, "order_risk": 4, "payment": 6, "payment_transaction": 1, "payout": 2, "price_rule": 7, "product_listing": 4,
    "shop": 1, "tender_transaction": 4, "transaction": 6, "user": 2, "variant": 8, "webhook": 7,
}  # fmt: skip
_DOCS_DONE = {"customer": 5, "fulfillment": 1, "inventory_level": 2, "order": 4, "product": 3}
_RECORDED_UNASKED = {
    "admin-platform": (6, "validation of requests"), "b2b": (2, "companies: we read an order's, with the order"),
    "bulk-operations": (12, "jobs"), "customers": (19, "customers: they come as webhooks"), "discounts": (8, "discounts"),
    "gift-cards": (8, "gift cards"), "markets": (25, "markets, catalogues, price lists"),
    "orders": (43, "draft orders, refused changes and returns without an order in the answer"),
    "payments": (15, "payment terms, customisations, methods"), "privacy": (5, "opt-outs"),
    "products": (47, "products: they come as webhooks; and changes of levels that return none"),
    "shipping-fulfillments": (19, "carriers, delivery profiles, services"), "store-properties": (18, "locations, publications, policies"),
    "webhooks": (11, "subscriptions"),
}  # fmt: skip
_FIXTURES_UNASKED = (
    "carts customer_saved_search discount_code_creation discount_codes discount_disabled draft_order draft_order_invoice draft_orders events "
    "fulfillment_event gift_card gift_card_disabled gift_cards_search graphql location locations payout payouts payouts_transactions price_rule "
    "product_listing product_listings product_publication product_publications tender_transactions transaction variant variants"
).split()
ASIDE["shopify"] = [
    *((UNASKED, f"rest-docs/{kind}/*", held, f"{kind}: neither read nor subscribed to") for kind, held in _DOCS_UNASKED.items()),
    *(
        (DONE, f"rest-docs/{kind}/*", held, "a count, a deletion or an activation: nothing of the object")
        for kind, held in _DOCS_DONE.items()
    ),
    *((UNASKED, f"rest-fixtures/{kind}.json", 1, f"{kind}: neither read nor subscribed to") for kind in _FIXTURES_UNASKED),
    *((UNASKED, f"graphql-recorded/{kind}/*", held, why) for kind, (held, why) in _RECORDED_UNASKED.items()),
    (DESCRIBED, "specs/*", 1, "the schema that our documents are checked against"),
    (EXPORTED, "tables/*", 24, "tables of a data warehouse"),
]

# --- Amazon ------------------------------------------------------------------------------------------------------------------
INBOUND["amazon"] = [
    ("order", ["OrderSeen"], ["samples/orders-2026-01-01/getOrder-200-1"]),
    ("order", [PACKED], ["samples/orders-2026-01-01/getOrder-200-example", "samples/orders-2026-01-01/searchOrders-200-example"]),
    ("order", ["OrderSeen"], ["samples/orders-2026-01-01/searchOrders-200-0", "samples/orders-2026-01-01/searchOrders-200-2"]),
    ("order", ["schema"], ["recipes/get_order_response"]),  # not asked for with its proceeds
    ("BRANDED_ITEM_CONTENT_CHANGE", ["not_business"], ["notifications/BrandedItemContentChangeNotification-0"]),
    ("FBA_OUTBOUND_SHIPMENT_STATUS", ["unknown_topic"], ["notifications/FBAOutboundShipmentStatusNotification-0"]),
    ("FEE_PROMOTION", ["not_business"], ["notifications/FeePromotionNotification-0"]),
    ("FEED_PROCESSING_FINISHED", ["not_business"], [f"notifications/FeedProcessingFinishedNotification-{n}" for n in (0, 1)]),
    ("FULFILLMENT_ORDER_STATUS", ["unknown_topic"], ["notifications/FulfillmentOrderStatusNotification-0"]),
    ("ITEM_INVENTORY_EVENT_CHANGE", ["unknown_topic"], ["notifications/ItemInventoryEventChangeNotification-0"]),
    ("LISTINGS_ITEM_ISSUES_CHANGE", ["not_business"], ["notifications/ListingsItemIssuesChangeNotification-0", "notifications/ListingsItemIssuesChangeNotification_2023-12-13-0"]),
    ("LISTINGS_ITEM_MFN_QUANTITY_CHANGE", ["StockCounted"], ["notifications/ListingsItemMfnQuantityChange-0"]),
    ("ORDER_CHANGE", ["Hint"], ["notifications/OrderChangeNotification-0"]),
    ("PRICING_HEALTH", ["not_business"], ["notifications/PricingHealthNotification-0"]),
    ("PRODUCT_TYPE_DEFINITIONS_CHANGE", ["not_business"], ["notifications/ProductTypeDefinitionsChangeNotification-0"]),
    ("REPORT_PROCESSING_FINISHED", ["not_business"], ["notifications/ReportProcessingFinishedNotification-1"]),
    ("SHIPMENT_TRACKING_MILESTONE_CHANGED", ["unknown_topic"], ["notifications/ShipmentTrackingMilestoneChangedNotification-0"]),
    ("TRANSACTION_UPDATE", ["unknown_topic"], ["notifications/TransactionUpdateNotification-0"]),
]  # fmt: skip
_SAMPLES_UNASKED = {
    "application-management": 1, "catalog-items": 4, "easy-ship": 10, "external-fulfillment-inventory": 2, "external-fulfillment-returns": 13,
    "external-fulfillment-shipments": 27, "finances-2024-06-19": 5, "finances-invoices": 3, "finances-v0": 6, "invoices": 16,
    "listings-restrictions": 2, "mcf-2020": 7, "mcf-2026": 4, "merchant-fulfillment": 7, "messaging": 21, "notifications-api": 11,
    "pricing-2022": 4, "pricing-v0": 12, "product-fees": 4, "product-type-definitions": 4, "reports": 12, "sales": 4, "sellers": 4,
    "shipment-invoicing": 4, "supply-sources": 9, "tokens": 2, "tracking": 15, "transfers": 10, "vendor-df-inventory": 2,
    "vendor-df-orders": 10, "vendor-invoices": 2, "vendor-orders": 16, "vendor-shipments": 4, "vendor-transaction-status": 1,
}  # fmt: skip
ASIDE["amazon"] = [
    *((UNASKED, f"samples/{api}/*", held, f"{api}: an API that we do not call") for api, held in _SAMPLES_UNASKED.items()),
    (REFUSED, "samples/orders-2026-01-01/*-400-*", 2, "an answer to a bad request: `judge` reads it"),
    (UNASKED, "samples/orders-v0/get*", 15, "orders of an older version than the one that we read"),
    (UNASKED, "samples/orders-v0/update*", 10, "shipments at other warehouses, and verifications"),
    (TALK, "samples/orders-v0/confirmShipment-*", 2, "the answer to a shipment that we confirmed"),
    (TALK, "samples/listings-items/[gp][ea]t*ListingsItem-*", 5, "the answer to a level or price that we set or look up"),
    (UNASKED, "samples/listings-items/delete*", 2, "we delete no listing"),
    (UNASKED, "samples/listings-items/put*", 4, "we make no listing"),
    (UNASKED, "samples/listings-items/search*", 2, "we list no listings"),
    (TALK, "samples/feeds/[cg][re]*", 7, "the answers to a feed that we send"),
    (UNASKED, "samples/feeds/cancel*", 1, "we cancel no feed"),
    (SENT, "feeds/listings-feed-schema-v2.example.json", 1, "a feed as it is sent"),
    (TALK, "feeds/listings-feed-processing-report-schema-v2.example.json", 1, "the report of a feed that we sent"),
    (TALK, "recipes/feeds-*", 4, "the answers to a feed that we send"),
    (UNASKED, "recipes/[!fg]*", 29, "other APIs, and orders of an older version"),
    (UNASKED, "recipes/get_[rt]*", 2, "rates and tracking of Amazon's own shipping"),
    (EXPORTED, "reports/*", 15, "reports: we ask for none"),
    (EXPORTED, "tables/*", 5, "tables of a data warehouse"),
    (DESCRIBED, "schemas/*", 23, "schemas of feeds and notifications"),
    (DESCRIBED, "specs/*", 34, "API descriptions and usage plans"),
]

# --- Stripe ------------------------------------------------------------------------------------------------------------------
# A bare object stands where an event would hold it; `documents` puts it there, under the topic that says what happened to it.
INBOUND["stripe"] = [
    ("charge.dispute.updated", ["id_missing"], ["webhooks/charge.dispute.updated"]),  # of 2013: the dispute has no id
    ("charge.failed", ["PaymentSeen"], ["webhooks/charge.failed"]),
    ("charge.succeeded", ["PaymentSeen"], ["webhooks/charge.succeeded"]),
    ("charge.updated", ["schema"], ["webhooks/charge.updated"]),  # of 2013: the charge has no status
    ("charge.updated", ["PaymentSeen"], ["fixtures/charge"]),
    ("charge.updated", ["totals_mismatch"], ["objects/charge_ch_fakefakefakefakefake0001"]),  # captured, and 0 of it
    ("charge.updated", ["schema"], ["objects/dispute_ch_fakefakefakefake01"]),  # its amounts are texts: "10.00"
    ("payment_intent.amount_capturable_updated", ["PaymentSeen"], ["webhooks/payment_intent.amount_capturable_updated"]),
    ("payment_intent.canceled", ["PaymentSeen"], ["webhooks/payment_intent.canceled"]),
    ("payment_intent.payment_failed", ["PaymentSeen"], ["webhooks/payment_intent.payment_failed", "fixtures/payment_intent"]),
    ("payment_intent.processing", ["PaymentSeen"], ["webhooks/payment_intent.processing"]),
    ("payment_intent.requires_action", ["PaymentSeen"], ["webhooks/payment_intent.requires_action"]),
    ("payment_intent.succeeded", ["PaymentSeen"], ["objects/payment_intent_pi_destination_charge", "objects/payment_intent_pi_fakefakefakefakefake0001"]),
    ("payment_intent.succeeded", ["schema"], ["objects/dispute_pi_fakefakefakefake01"]),  # its last_payment_error is a text: ""
    ("refund.created", ["RefundSeen"], ["fixtures/refund"]),
    ("charge.dispute.created", ["DisputeSeen"], ["fixtures/dispute", "objects/dispute_dp_fakefakefakefake01", "objects/dispute_dp_fakefakefakefake02"]),
    ("charge.dispute.funds_reinstated", ["DisputeSeen"], ["objects/dispute_dp_funds_reinstated_full"]),
    ("payout.paid", ["PayoutSeen"], ["webhooks/payout.paid"]),
    ("balance_transaction", ["SettlementLineSeen"], ["fixtures/balance_transaction", "objects/dispute_txn_fakefakefakefake01"]),
    ("checkout.session.completed", ["not_business"], ["webhooks/checkout.session.completed.setup_mode"]),
    ("plan.created", ["not_business"], ["fixtures/event"]),
    ("account.updated", ["not_business"], ["objects/event_account_updated_custom", "objects/event_account_updated_standard"]),
    ("account.external_account.created", ["not_business"], ["objects/event_external_account_bank_account_created"]),
    ("account.external_account.deleted", ["not_business"], ["objects/event_external_account_bank_account_deleted", "objects/event_external_account_card_deleted"]),
    ("account.external_account.updated", ["not_business"], ["objects/event_external_account_card_updated"]),
    *(
        (topic, ["not_business"], [f"webhooks/{topic}"])
        for topic in (
            "account.application.deauthorized account.external_account.created account.external_account.deleted "
            "account.external_account.updated checkout.session.completed customer.deleted customer.discount.deleted "
            "customer.discount.updated customer.source.deleted customer.source.updated customer.subscription.created "
            "customer.subscription.deleted customer.subscription.updated customer.updated invoice.created invoice.finalized "
            "invoice.paid invoice.payment_action_required invoice.payment_failed invoice.payment_succeeded invoice.upcoming "
            "invoice.updated invoiceitem.created invoiceitem.deleted invoiceitem.updated mandate.updated payment_link.created "
            "payment_method.detached plan.deleted plan.updated price.created price.deleted product.created product.updated "
            "quote.accepted quote.canceled quote.finalized setup_intent.created setup_intent.setup_failed setup_intent.succeeded "
            "subscription_schedule.canceled subscription_schedule.created subscription_schedule.released "
            "tax_rate.created tax_rate.updated transfer.failed transfer.paid transfer.updated"
        ).split()
    ),
]  # fmt: skip
ASIDE["stripe"] = [
    (UNASKED, "fixtures/*", 27, "objects whose events say nothing of payments, refunds, disputes or payouts: see webhooks/"),
    (UNASKED, "objects/*", 25, "objects whose events say nothing of payments, refunds, disputes or payouts: see webhooks/"),
    (EXPORTED, "reports/*", 3, "reports that a person exports"),
    (EXPORTED, "tables/*", 9, "tables of a data warehouse"),
]

# --- Tryton ------------------------------------------------------------------------------------------------------------------
# The rows that our feeds read; what a feed lays around a row, `documents` does. Only the levels were recorded with all that we ask for.
INBOUND["tryton"] = [
    ("level", ["StockCounted"] * 3, ["a04-products-search-read-with-stock"]),
    ("product", ["schema"] * 3, ["a04-products-search-read-with-stock"]),
    ("level", ["schema"], ["a33-product-forecast-after-assign"]),
    ("move", ["schema"] * 4, ["a24-moves-of-shipment"]),
    ("invoice", ["schema"], ["a25-invoice-read-draft"]),
]
INBOUND["tryton"] = [(topic, becomes, [f"recorded/{file}" for file in files]) for topic, becomes, files in INBOUND["tryton"]]
ASIDE["tryton"] = [
    (TALK, "recorded/a0[0-3]-*", 4, "log in, preferences, databases"),
    (TALK, "recorded/a56-*", 1, "log out"),
    (TALK, "recorded/a0[5-7]-*", 3, "party, company, locations: read on the way to a sale or a level"),
    (TALK, "recorded/a[0-3]*-sale-*", 13, "a sale made, pressed through its states, and read between: becomes an outcome"),
    (TALK, "recorded/a[123]*-shipment-*", 3, "a shipment pressed through its states, and read"),
    (TALK, "recorded/[ab][02]*-invoice-[ps]*", 4, "an invoice pressed through its states"),
    (TALK, "recorded/b01-*", 1, "a warning acknowledged"),
    (TALK, "recorded/a48-*", 1, "sales found by their reference"),
    (REFUSED, "recorded/a4[23]-*", 2, "refused requests"),
    (UNASKED, "recorded/a49-*", 1, "an inventory: its moves are read"),
    (UNASKED, "recorded/a5[01]-*", 2, "an inventory: its moves are read"),
    (DESCRIBED, "recorded/a5[24]-*", 2, "the states that sales and invoices can have"),
    (UNASKED, "recorded/b0[45]-*", 2, "postings of Tryton's own books"),
    (TALK, "recorded/b07-*", 1, "a return begun"),
]

# --- ShipStation -------------------------------------------------------------------------------------------------------------
INBOUND["shipstation"] = [
    ("shipment", ["FulfilmentSeen"] * 2, ["v1-recorded/list_all_shipments", "v1-recorded/list_matching_shipments"]),
    (
        "order",
        ["not_business"],
        ["v1-recorded/list_orders_by_tag", "v1-recorded/get_order", "v1-recorded/update_order"],
    ),  # all await their shipment
]
ASIDE["shipstation"] = [
    (TALK, "v1-recorded/[cu][rp]*ate_orders.json", 2, "the answer to releases that we send"),
    (TALK, "v1-recorded/webhook_*.json", 2, "subscriptions"),
    (DONE, "v1-recorded/*_order.json", 5, "tags, users, a deletion: only that it was done"),
    (DONE, "v1-recorded/hold_order_until.json", 1, "only that it was done"),
    (DONE, "v1-recorded/product_update.json", 1, "only that it was done"),
    (DONE, "v1-recorded/store_*activate.json", 2, "only that it was done"),
    (UNASKED, "v1-recorded/*customer*.json", 2, "customers: the shop knows them"),
    (UNASKED, "v1-recorded/*carrier*.json", 2, "carriers"),
    (UNASKED, "v1-recorded/list_services.json", 1, "carriers' services"),
    (UNASKED, "v1-recorded/get_shipment_rates.json", 1, "rates"),
    (UNASKED, "v1-recorded/store_[gr]e[tf]*.json", 2, "stores"),
    (UNASKED, "v1-recorded/list_[st][ta]*s.json", 2, "stores and tags"),
    (UNASKED, "v1-recorded/product_get.json", 1, "products: the shop and the ERP know them"),
    (UNASKED, "v1-recorded/*user.json", 1, "users"),
    (UNASKED, "v1-recorded/user_list.json", 1, "users"),
    (UNASKED, "v1-recorded/warehouse_*.json", 3, "addresses that parcels leave from"),
    (SENT, "v2-api/*-request-*", 3, "requests of an API that we do not call"),
    (UNASKED, "v2-api/*-response200-*", 5, "an API that we do not call"),
]


# --- reading -----------------------------------------------------------------------------------------------------------------
Entry = tuple[str, str, Becomes, str]  # vendor, topic, becomes, file


def entries() -> list[Entry]:
    return [(vendor, topic, becomes, file) for vendor in VENDORS for topic, becomes, files in INBOUND[vendor] for file in files]


def documents(shared: Path, vendor: str, topic: str, file: str) -> list[Any]:
    """The documents of a file as the connector gets them under `topic`: taken out of what an API or a recorder laid around them."""
    given = json.loads((shared / "vendor" / vendor / f"{file}.json").read_text())
    return {"shopify": _shopify, "amazon": _amazon, "stripe": _stripe, "tryton": _tryton, "shipstation": _shipstation}[vendor](given, topic)


def _body(given: Any) -> Any:
    answer = (given[0] if isinstance(given, list) else given).get("response")
    return answer["body"] if answer is not None else given


def _shopify(given: Any, topic: str) -> list[Any]:
    if topic in GRAPHQL:
        return [node for node in answered(given) if str(node.get("id", "")).startswith(GRAPHQL[topic])]
    held = next(value for value in _body(given).values() if isinstance(value, dict | list))
    return held if isinstance(held, list) else [held]


def answered(recording: Any, within: bool = False) -> Iterator[dict[str, Any]]:
    """Every object in the answers of a GraphQL recording, however it is nested: an answer stands under `data`."""
    if isinstance(recording, dict):
        if within:
            yield recording
        for name, value in recording.items():
            yield from answered(value, within or name == "data")
    elif isinstance(recording, list):
        for value in recording:
            yield from answered(value, within)


def _amazon(given: Any, topic: str) -> list[Any]:
    body = _body(given)
    if topic != "order":
        return [body]
    return body["orders"] if "orders" in body else [body["order"]]  # type: ignore[no-any-return]


def _stripe(given: Any, topic: str) -> list[Any]:
    if topic == "balance_transaction" or "object" in given.get("data", {}):
        return [given]
    return [{"id": "evt_1", "created": 1_700_000_000, "data": {"object": given}}]


def _tryton(given: Any, topic: str) -> list[Any]:
    around: Mapping[str, Any] = {
        "level": lambda row: {"at": 1_700_000_000_000_000, "warehouse": "WH", "level": row},
        "move": lambda row: {"warehouse": "WH", "sign": -1, "place": "customer", "move": row},
    }
    return [around.get(topic, dict)(row) for row in _body(given)["result"]]


def _shipstation(given: Any, topic: str) -> list[Any]:
    body = _body(given)
    return body.get(f"{topic}s", [body])  # type: ignore[no-any-return]


def translate(vendor: str, topic: str, document: Any) -> list[Any]:
    """The statements of a document, by the function behind `mainstay translate`."""
    return [said.event for said in translator(vendor, {})(topic, json.dumps(document, ensure_ascii=False).encode())]
