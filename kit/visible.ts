/** A text of others as what it is: neither controls, which would steer a terminal, nor what turns the direction of writing. */
export const visible = (text: string): string => text.replace(/(?![\n\t])[\p{Cc}\p{Cf}]/gu, "\ufffd");
