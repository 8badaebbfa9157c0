package identity

import (
	"errors"
	"time"

	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
	"plenum.internal/services/identity/password"
)

// What this service refuses, and what the caller is to do. Reasons are append-only.
var (
	errSignIn     = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "identity.SIGN_IN", "Workspace, handle or password is wrong. Check all three.")
	errEnded      = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "identity.SESSION_ENDED", "This session has ended. Sign in again.")
	errWipe       = rpc.Errorf(edgev1.Code_CODE_SESSION_REVOKED, "identity.WIPE", "This device was signed out and its data is to be erased. Sign in again.")
	errLink       = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "identity.LINK", "This link is not valid (any more). Ask for a new one.")
	errLinkUsed   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.LINK_USED", "The invitation was used already. Deactivate the account instead.")
	errPassword   = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "identity.PASSWORD", "The current password is wrong.").On("current")
	errForm       = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "identity.PASSWORD_FORM", "Choose a password of 10 characters or more, at most 256 bytes.").On("password")
	errNotAllowed = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "identity.NOT_ALLOWED", "Your role doesn't allow this. Ask an administrator.")
	errHigherRole = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "identity.HIGHER_ROLE", "Only an owner may do this to an owner, or make one.")
	errNoReset    = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.NO_PASSWORD", "A password can be reset for active people only, and your own you change by the current one.")
	errDirectory  = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "identity.DIRECTORY", "Guests see only the people they meet.")
	errPerson     = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "identity.PERSON", "There is no such person.")
	errGroup      = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "identity.GROUP", "There is no such group.").On("group_id")
	errDevice     = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "identity.DEVICE", "There is no such device.").On("device_id")
	errInvitation = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "identity.INVITATION", "There is no such invitation.").On("invitation_id")
	errWorkspace  = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "identity.WORKSPACE", "There is no such workspace.").On("workspace_slug")
	errTopic      = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "identity.TOPIC", "There is no such topic.")
	errHandle     = rpc.Errorf(edgev1.Code_CODE_CONFLICT, "identity.HANDLE_TAKEN", "Somebody goes by this handle already. Choose another one.").On("handle")
	errSlug       = rpc.Errorf(edgev1.Code_CODE_CONFLICT, "identity.SLUG_TAKEN", "There is a workspace of this name already. Choose another one.").On("workspace_slug")
	errLastOwner  = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.LAST_OWNER", "The last owner must stay. Make somebody else an owner first.")
	errService    = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.SERVICE_ROLE", "A service account stays one for ever, and nobody becomes one.")
	errNoService  = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.NO_SERVICE", "This is not an active service account.")
	errSecretGone = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.SECRET_GONE", "The secret was replaced meanwhile. Make a new one.")
	errNoTicket   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "identity.NO_TICKET", "A service account has no ticket: open the stream with an Authorization header.")
	errNumber     = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "identity.CLIENT_SEQ", "This call needs a client id and a number (client_seq).")
	errStarting   = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "identity.STARTING", "The service is starting. Try again shortly.").RetryIn(time.Second)
)

func invalid(field, format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "identity.INVALID", format, args...).On(field)
}

func tooMany(retry time.Duration) error {
	return rpc.Errorf(edgev1.Code_CODE_RATE_LIMITED, "identity.TOO_MANY_ATTEMPTS", "Too many failed attempts. Wait before the next one.").RetryIn(retry)
}

// hashing maps the errors of package password.
func hashing(err error) error {
	if busy, ok := errors.AsType[*password.BusyError](err); ok {
		return rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "identity.BUSY", "Many people sign in just now. Try again shortly.").RetryIn(busy.RetryAfter)
	}
	if errors.Is(err, password.ErrForm) {
		return errForm
	}
	return err
}
