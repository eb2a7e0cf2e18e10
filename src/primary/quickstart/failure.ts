/** What a person has to know or do; printed as it is, without a stack. */
export class QuickstartError extends Error {}
