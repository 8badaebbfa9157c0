// Package identity is the service that knows workspaces, people, groups and devices, signs them in and says what they may do.
//
// # Model
//
// An installation holds workspaces that never see each other. An account (person, guest or service account) belongs to one and
// has one role in it; package policy says what a role may do, and the access token carries the outcome. A device is one client
// installation on which an account is signed in. More workspaces than the first come by OperatorService.IssueSetup, whose
// one-time secret lets its bearer name and own one.
//
// # Two kinds of writes
//
// What others follow, and everything a signed-in user does with a number, goes through the log (mesh/topic): an operation runs
// in Plan, in the transaction that numbers its events; retries get the first answer. Sign-in, refresh and sign-out concern
// nobody's cursor and carry their own protection: they are plain transactions.
//
// # Where secrets are
//
//   - passwords: argon2id; other secrets of 128 bits and more: SHA-256
//   - refresh tokens, invitations and service secrets are derived from the installation's key (package keyring) and what is in
//     SQL: a retry is told the same secret again though it isn't kept, and the database alone opens nothing
//   - signing keys: sealed by the installation's key
//
// # Invariants
//
//   - Invariant: a transaction that takes rights away appends to the log of revocations and to the audit log itself.
//   - Invariant: an operation writes only after its last check, so that a refused one leaves nothing in the shared transaction.
//   - Invariant: what is refused to one who isn't signed in costs the same time and has the same text, whatever was wrong.
//   - Invariant: a heartbeat of the revocation feed follows a successful read of the log; without the database it falls silent.
package identity
