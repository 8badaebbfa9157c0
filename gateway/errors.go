package gateway

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"plenum.internal/gateway/internal/wire"
	"plenum.internal/mesh/auth"
	"plenum.internal/mesh/rpc"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// What the gateway itself answers. Reasons are append-only.
var (
	errNoMethod   = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "edge.METHOD", "There is no such method.")
	errBody       = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.BODY", "The request can't be read. Check it against the method's definition.").On("body")
	errBodyLarge  = rpc.Errorf(edgev1.Code_CODE_BODY_TOO_LARGE, "edge.BODY_TOO_LARGE", "The request is too large. Send less at once.").On("body")
	errEncoding   = rpc.Errorf(edgev1.Code_CODE_UNSUPPORTED, "edge.CONTENT_ENCODING", "Send the request uncompressed.")
	errSameID     = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.CALL_ID", "A call with this id is not answered yet. Take another one.").On("id")
	errNoID       = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.CALL_ID", "A call's id is not 0: number your calls from 1.").On("id")
	errLanes      = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.LANES", "Use fewer lanes.").On("lane")
	errSeq        = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.CLIENT_SEQ", "A change's number goes from 1 to 2^53 - 1 and needs a client_id.").On("client_seq")
	errLaneBroken = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.LANE", "An earlier change of this lane must be repeated first.").RetryIn(100 * time.Millisecond)
	errCancelled  = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.CANCELLED", "It was not done, as you asked.")
	errTooMany    = rpc.Errorf(edgev1.Code_CODE_TOO_MANY_CALLS, "edge.TOO_MANY_CALLS", "Too many calls at once. Wait for an answer.").RetryIn(100 * time.Millisecond)
	errBusy       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.BUSY", "Too much is being asked just now. Try again shortly.").RetryIn(500 * time.Millisecond)
	errShed       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.SHEDDING", "The server has too much to do just now. Try again shortly.")
	errRequests   = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.REQUESTS", "Too many requests are under way, here or from your network. Try again shortly.").RetryIn(5 * time.Second)
	errHeld       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.INTAKE", "Too much is being sent just now. Wait for an answer, then try again.").RetryIn(500 * time.Millisecond)
	errRate       = rpc.Errorf(edgev1.Code_CODE_RATE_LIMITED, "edge.RATE", "That was too fast. Try again shortly.")
	errStale      = rpc.Errorf(edgev1.Code_CODE_TOKEN_STALE, "edge.TOKEN_STALE", "Refresh the access token first.")
	errToken      = rpc.Errorf(edgev1.Code_CODE_TOKEN_REFUSED, "edge.TOKEN", "Sign in first.")

	errRoute     = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "edge.ROUTE", "There is nothing at this path of this host.")
	errTarget    = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.TARGET", "The path and the host must be UTF-8. Escape what is not.").On("path")
	errHTTP      = rpc.Errorf(edgev1.Code_CODE_UNSUPPORTED, "edge.HTTP_METHOD", "Use GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS.")
	errProtocol  = rpc.Errorf(edgev1.Code_CODE_UNSUPPORTED, "edge.HTTP_VERSION", "Use HTTP/1.1 or HTTP/2. A proxy in between may have to be told to.")
	errUpgrade   = rpc.Errorf(edgev1.Code_CODE_UNSUPPORTED, "edge.UPGRADE", "Only HTTP is spoken at this path. For a WebSocket go to "+pathWebSocket+".")
	errExchanges = rpc.Errorf(edgev1.Code_CODE_TOO_MANY_CALLS, "edge.EXCHANGES", "Too many transfers at once. Wait until one has ended.").RetryIn(time.Second)
	errSlowBody  = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.SLOW_BODY", "The request's body came too slowly. Send it again.")
	errNoAnswer  = rpc.Errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "edge.NO_ANSWER", "No answer came in time. Look whether it was done before you repeat it.")
	errLost      = rpc.Errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "edge.LOST", "The service was lost on the way. Look whether it was done before you repeat it.")

	errTopic        = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "edge.TOPIC", "There is no such topic.")
	errMode         = rpc.Errorf(edgev1.Code_CODE_UNSUPPORTED, "edge.MODE", "This topic can't be followed in this way.").On("mode")
	errParams       = rpc.Errorf(edgev1.Code_CODE_UNSUPPORTED, "edge.PARAMS", "This topic takes no parameters: leave params out.").On("params")
	errParamsLarge  = rpc.Errorf(edgev1.Code_CODE_BODY_TOO_LARGE, "edge.PARAMS_TOO_LARGE", "The parameters have more than 16 KiB. Ask for less at once.").On("params")
	errViews        = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "edge.VIEWS", "Too many views are open on this server just now. Try again shortly.").RetryIn(5 * time.Second)
	errViewTooLarge = rpc.Errorf(edgev1.Code_CODE_RESET_TOO_LONG, "edge.VIEW_TOO_LARGE", "More than 1,000 entries or 256 KiB of this view wait for you. Ask for less by its parameters, then subscribe without a cursor.")
	errTooManySub   = rpc.Errorf(edgev1.Code_CODE_TOO_MANY_TOPICS, "edge.TOO_MANY_TOPICS", "Too many topics are followed. Leave some first.")
	errLagged       = rpc.Errorf(edgev1.Code_CODE_LAGGED, "edge.LAGGED", "You read too slowly. Subscribe again from your cursor.")
	errResetEpoch   = rpc.Errorf(edgev1.Code_CODE_RESET_EPOCH, "edge.RESET_EPOCH", "The history has begun anew. Load it again.")
	errResetFloor   = rpc.Errorf(edgev1.Code_CODE_RESET_FLOOR, "edge.RESET_FLOOR", "What lies before can't be replayed. Load it again.")
	errResetLong    = rpc.Errorf(edgev1.Code_CODE_RESET_TOO_LONG, "edge.RESET_TOO_LONG", "Too much has happened since. Load it again.")
	errRevoked      = rpc.Errorf(edgev1.Code_CODE_REVOKED, "edge.REVOKED", "You can't read this any more.")
	errTypes        = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "edge.TYPES", "Name at most 16 fields of the topic's type of events, in mode EVENTS.").On("types")
	errLastID       = rpc.Errorf(edgev1.Code_CODE_RESET_FLOOR, "edge.LAST_EVENT_ID", "The last event's id is of other topics, or they were wanted otherwise. Load what you follow again, and begin without it.")

	errSilent          = rpc.Errorf(edgev1.Code_CODE_SILENT, "edge.SILENT", "Nothing was heard of you. Connect again.")
	errDraining        = rpc.Errorf(edgev1.Code_CODE_DRAINING, "edge.DRAINING", "This server is being restarted. Connect again.")
	errRotated         = rpc.Errorf(edgev1.Code_CODE_DRAINING, "edge.ROTATED", "This stream has lasted long enough. Open the next.")
	errOverloaded      = rpc.Errorf(edgev1.Code_CODE_OVERLOADED, "edge.OVERLOADED", "Too many are connected just now. Try again shortly.").RetryIn(5 * time.Second)
	errSessions        = rpc.Errorf(edgev1.Code_CODE_OVERLOADED, "edge.SESSIONS", "You have too many connections. Close some of them first.").RetryIn(5 * time.Second)
	errAddressSessions = rpc.Errorf(edgev1.Code_CODE_OVERLOADED, "edge.ADDRESS_SESSIONS", "Too many connections come from your network. Close some of them, or ask who runs this server to raise gateway.max_sessions_address.").RetryIn(5 * time.Second)
	errShedding        = rpc.Errorf(edgev1.Code_CODE_OVERLOADED, "edge.SHEDDING", "The server has too much to do just now, and takes nobody new. Try again shortly.")
	errUnchecked       = rpc.Errorf(edgev1.Code_CODE_OVERLOADED, "edge.UNCHECKED", "Sign-ins can't be checked just now. Try again shortly.").RetryIn(2 * time.Second)
	errFlood           = rpc.Errorf(edgev1.Code_CODE_FLOOD, "edge.FLOOD", "You send too much. Wait before you connect again.").RetryIn(10 * time.Second)
	errTokenExpired    = rpc.Errorf(edgev1.Code_CODE_TOKEN_EXPIRED, "edge.TOKEN_EXPIRED", "The access token has expired. Refresh it.")
	errTokenRefused    = rpc.Errorf(edgev1.Code_CODE_TOKEN_REFUSED, "edge.TOKEN_REFUSED", "The access token was refused. Refresh it; if that fails, sign in.")
	errSessionRevoked  = rpc.Errorf(edgev1.Code_CODE_SESSION_REVOKED, "edge.SESSION_REVOKED", "This device was signed out.")
	errMessageTooLarge = rpc.Errorf(edgev1.Code_CODE_MESSAGE_TOO_LARGE, "edge.MESSAGE_TOO_LARGE", "A message was too large. Send larger things by HTTP.")
	errNoHello         = rpc.Errorf(edgev1.Code_CODE_MALFORMED, "edge.HELLO", "The first frame must be Hello: send it before all others.").On("hello")
	errSecondHello     = rpc.Errorf(edgev1.Code_CODE_MALFORMED, "edge.HELLO", "Hello comes once. To change the token send Refresh.").On("hello")
	errNoToken         = rpc.Errorf(edgev1.Code_CODE_TOKEN_REFUSED, "edge.TOKEN", "Hello needs an access token, in its token or in the header Authorization: Bearer. Sign in first.").On("hello.token")
	errWants           = rpc.Errorf(edgev1.Code_CODE_MALFORMED, "edge.WANTS", "A Subscribe has at most 500 wants. Send several.").On("subscribe.wants")
	errNames           = fmt.Errorf("%w: a message names at most %d topics", wire.ErrMalformed, maxNames)
	errFirstTooLarge   = rpc.Errorf(edgev1.Code_CODE_MESSAGE_TOO_LARGE, "edge.FIRST_MESSAGE", "The first message was too large. Send Hello in one of at most 64 KiB, and the rest right behind it.")
	errIntake          = rpc.Errorf(edgev1.Code_CODE_OVERLOADED, "edge.INTAKE", "Too much is being sent just now. Try again shortly.").RetryIn(5 * time.Second)
	errVersion         = rpc.Errorf(edgev1.Code_CODE_VERSION, "edge.VERSION", "Ask for the subprotocol plenum.v1.proto or plenum.v1.json.")
)

// refusal says why a token doesn't do, to the one who showed it. A revoked one is answered like a forged one: whether the device
// itself was signed out, its refresh will tell.
func refusal(err error) *rpc.Error {
	switch {
	case errors.Is(err, auth.ErrExpired):
		return errTokenExpired
	case errors.Is(err, auth.ErrStale):
		return errUnchecked
	}
	return errTokenRefused
}

// tooFast tells when there is room again, in whole milliseconds: less than one would not be told.
func tooFast(wait time.Duration) *rpc.Error {
	return errRate.RetryIn((wait + time.Millisecond - 1).Truncate(time.Millisecond))
}

// unreadable says what is wrong with a message: a frame that is none, or too many.
func unreadable(err error) *rpc.Error {
	return rpc.Errorf(edgev1.Code_CODE_MALFORMED, "edge.MALFORMED", "What was sent can't be understood: %s", complaint(err))
}

// badParams says what is wrong with a view's parameters in JSON.
func badParams(why string) *rpc.Error {
	return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, errParams.Reason, "The parameters can't be read: %s", complaint(errors.New(why))).On(errParams.Field)
}

// badWant says what is wrong with the JSON of a Want in a URL.
func badWant(err error) *rpc.Error {
	return rpc.Errorf(errParameter.Code, errParameter.Reason, "A want can't be read: %s", complaint(err)).On("want")
}

// badBody says what is wrong with a request in JSON.
func badBody(err error) *rpc.Error {
	return rpc.Errorf(errBody.Code, errBody.Reason, "The request can't be read: %s", complaint(err)).On(errBody.Field).Because(err)
}

// complaint is the error of a decoder, in words for whoever wrote what it decoded. (protojson varies its blanks.)
func complaint(err error) string {
	text := strings.TrimPrefix(err.Error(), wire.ErrMalformed.Error()+": ")
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\u00a0", " "), "?")
}

// answerable is what a call's failure becomes on a connection. Close codes are for connections: of a call they mean that the
// token must be refreshed.
func answerable(err error) *edgev1.Error {
	e := rpc.FromError(err)
	if e.GetCode() >= 4000 {
		e = rpc.FromError(errStale)
	}
	return e
}

func code(c edgev1.Code) string { return strconv.Itoa(int(c)) }
