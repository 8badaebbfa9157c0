/** agent is what the server is told of this client, and logs. */
export const agent = 'plenum-web/0.1'
