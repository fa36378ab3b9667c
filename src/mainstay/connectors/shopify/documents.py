"""Every GraphQL document that we send, checked against the vendor's schema by a test. One operation each; its name is the budget's."""

from __future__ import annotations

_ORDER = """
fragment Shop on MoneyBag { shopMoney { amount currencyCode } }
fragment Postal on MailingAddress { name company address1 address2 city province provinceCode zip countryCodeV2 phone }
fragment Taxed on TaxLine { channelLiable priceSet { ...Shop } }
fragment Off on DiscountAllocation { allocatedAmountSet { ...Shop } }
fragment Paid on OrderTransaction { kind status gateway amountSet { ...Shop } receiptJson }
fragment Whole on Order {
  id name email phone poNumber test taxExempt taxesIncluded dutiesIncluded createdAt updatedAt cancelledAt
  currencyCode presentmentCurrencyCode displayFinancialStatus
  totalPriceSet { shopMoney { amount currencyCode } presentmentMoney { amount currencyCode } }
  totalTaxSet { ...Shop }
  totalTipReceivedSet { ...Shop }
  originalTotalDutiesSet { ...Shop }
  originalTotalAdditionalFeesSet { ...Shop }
  customAttributes { key value }
  customer { id firstName lastName }
  shippingAddress { ...Postal }
  billingAddress { ...Postal }
  purchasingEntity { ... on PurchasingCompany { company { id } } }
  lineItems(first: 100) {
    nodes {
      id name sku quantity currentQuantity unfulfilledQuantity requiresShipping isGiftCard
      originalUnitPriceSet { ...Shop }
      taxLines { ...Taxed }
      discountAllocations { ...Off }
    }
  }
  shippingLines(first: 10) { nodes { title isRemoved originalPriceSet { ...Shop } taxLines { ...Taxed } discountAllocations { ...Off } } }
  fulfillments(first: 20) {
    id status displayStatus createdAt updatedAt
    location { id }
    trackingInfo(first: 10) { company number }
    fulfillmentLineItems(first: 100) { nodes { quantity lineItem { id } } }
  }
  refunds(first: 20) {
    id createdAt note
    refundLineItems(first: 100) { nodes { quantity restockType lineItem { id } subtotalSet { ...Shop } totalTaxSet { ...Shop } } }
    refundShippingLines(first: 10) { nodes { subtotalAmountSet { ...Shop } taxAmountSet { ...Shop } } }
    transactions(first: 10) { nodes { ...Paid } }
  }
  transactions(first: 20) { ...Paid }
}
"""

ORDERS = (
    """
query Orders($first: Int!, $after: String, $query: String) {
  orders(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes { ...Whole }
    pageInfo { hasNextPage endCursor }
  }
}
"""
    + _ORDER
)

ORDER = "query Order($id: ID!) { order(id: $id) { ...Whole } }" + _ORDER

INVENTORY = """
query Inventory($location: ID!, $first: Int!, $after: String) {
  location(id: $location) {
    inventoryLevels(first: $first, after: $after) {
      nodes { id updatedAt item { id sku tracked } location { id } quantities(names: ["available"]) { name quantity } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""

PRODUCTS = """
query Products($first: Int!, $after: String, $query: String) {
  products(first: $first, after: $after, query: $query, sortKey: UPDATED_AT) {
    nodes {
      id title status productType updatedAt
      variants(first: 100) {
        nodes { id sku title barcode price compareAtPrice inventoryItem { id measurement { weight { unit value } } } }
      }
    }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SET_LEVELS = """
mutation SetLevels($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id }
    userErrors { code field message }
  }
}
"""

OPEN_FULFILMENTS = """
query OpenFulfilments($id: ID!) {
  order(id: $id) {
    cancelledAt
    fulfillments(first: 50) {
      id status
      trackingInfo(first: 10) { number }
      fulfillmentLineItems(first: 100) { nodes { quantity lineItem { id } } }
    }
    fulfillmentOrders(first: 20) { nodes { id status lineItems(first: 100) { nodes { id remainingQuantity lineItem { id } } } } }
  }
}
"""

FULFIL = """
mutation Fulfil($fulfillment: FulfillmentInput!) {
  fulfillmentCreate(fulfillment: $fulfillment) {
    fulfillment { id status }
    userErrors { field message }
  }
}
"""

CANCEL = """
mutation Cancel($id: ID!, $reason: OrderCancelReason!, $refund: OrderCancelRefundMethodInput!, $note: String) {
  orderCancel(orderId: $id, reason: $reason, refundMethod: $refund, restock: false, notifyCustomer: false, staffNote: $note) {
    job { id done }
    orderCancelUserErrors { code field message }
  }
}
"""

VARIANTS_OF = """
query VariantsOf($ids: [ID!]!) {
  nodes(ids: $ids) { ... on InventoryItem { id variants(first: 10) { nodes { id product { id } } } } }
}
"""

SET_PRICES = """
mutation SetPrices($product: ID!, $variants: [ProductVariantsBulkInput!]!) {
  productVariantsBulkUpdate(productId: $product, variants: $variants, allowPartialUpdates: true) {
    productVariants { id }
    userErrors { code field message }
  }
}
"""

SUBSCRIPTIONS = """
query Subscriptions($after: String) {
  webhookSubscriptions(first: 100, after: $after) {
    nodes { id topic uri filter includeFields apiVersion { handle } }
    pageInfo { hasNextPage endCursor }
  }
}
"""

SUBSCRIBE = """
mutation Subscribe($topic: WebhookSubscriptionTopic!, $subscription: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $subscription) {
    webhookSubscription { id }
    userErrors { field message }
  }
}
"""

UNSUBSCRIBE = """
mutation Unsubscribe($id: ID!) {
  webhookSubscriptionDelete(id: $id) {
    deletedWebhookSubscriptionId
    userErrors { field message }
  }
}
"""
