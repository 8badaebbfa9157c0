package topic

import (
	"context"
	"errors"
	"time"

	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/sqldb"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Errors that callers of the log get. Reasons are append-only.
var (
	errKeyReused = rpc.Errorf(edgev1.Code_CODE_CONFLICT, "topic.KEY_REUSED",
		"Another change was made under this number before. Take a new number for this one.")
	errKeyTooOld = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "topic.KEY_TOO_OLD",
		"This change waited too long to be sent safely. Look whether it was made, and make it anew if not.")
	errBadKey       = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_KEY", "The change's number is not valid.")
	errBadTopic     = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_NAME", "This is no name of a topic.").On("topic")
	errBadWorkspace = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_WORKSPACE", "This is no name of a workspace.").On("workspace")
	errBadWatermark = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_WATERMARK", "Start without a watermark.").On("since")
	errBadPartition = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_PARTITION", "Partitions go from 0 to 63.").On("partition")
	errNotDerived   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "topic.NOT_DERIVED", "Nothing is derived from this service's topics.")
	errTooMany      = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.TOO_MANY", "Open at most 500 topics at once.").On("wants")
	errNoWant       = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.NO_WANT", "An opening names a want that isn't there.").On("openings.wants")
	errTooLarge     = rpc.Errorf(edgev1.Code_CODE_BODY_TOO_LARGE, "topic.TOO_LARGE", "This is too large to be stored. Send less at once.")
	errBadParams    = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_PARAMS", "The parameters can't be read. Check them against the topic's kind.").On("params")
	errBadEntryKey  = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "topic.BAD_ENTRY_KEY", "An entry's key has 1 to 128 bytes of UTF-8.")
	errViewFull     = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "topic.VIEW_FULL", "There is no room for more entries. Remove some first.")

	errOutcomeUnknown = rpc.Errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "topic.OUTCOME_UNKNOWN",
		"It is not known whether this was saved. Repeat it with the same number.").RetryIn(time.Second)
	errAway = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "topic.DATABASE_AWAY",
		"Nothing can be saved just now. Try again shortly.").RetryIn(time.Second)
	errDiskFull = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "topic.DISK_FULL",
		"Nothing can be saved: the server's disk is full. Tell your administrator.").RetryIn(5 * time.Second)
	errOverloaded = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "topic.OVERLOADED",
		"Too much is being saved just now. Try again shortly.").RetryIn(250 * time.Millisecond)
	errStarting = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "topic.STARTING", "This server is starting. Try again.").RetryIn(100 * time.Millisecond)
	errStopping = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "topic.STOPPING", "This server is being restarted. Try again.").RetryIn(100 * time.Millisecond)

	resetEpoch   = rpc.Errorf(edgev1.Code_CODE_RESET_EPOCH, "topic.RESET_EPOCH", "The history has begun anew. Load it again.")
	resetFloor   = rpc.Errorf(edgev1.Code_CODE_RESET_FLOOR, "topic.RESET_FLOOR", "What lies before was compacted. Load it again.")
	resetTooLong = rpc.Errorf(edgev1.Code_CODE_RESET_TOO_LONG, "topic.RESET_TOO_LONG", "Too much has happened since. Load it again.")
)

// numbered turns a failure of the database into what a caller may be told; numbered errors stay as they are.
func numbered(err error) error {
	if _, ok := errors.AsType[*rpc.Error](err); ok || err == nil {
		return err
	}
	switch {
	case errors.Is(err, sqldb.ErrUnknownOutcome):
		return errOutcomeUnknown.Because(err)
	case errors.Is(err, sqldb.ErrDiskFull):
		return errDiskFull.Because(err)
	case errors.Is(err, sqldb.ErrUnavailable), errors.Is(err, sqldb.ErrConflict):
		return errAway.Because(err)
	case errors.Is(err, sqldb.ErrOverloaded):
		return errOverloaded.Because(err)
	case errors.Is(err, sqldb.ErrStopped):
		return errStopping.Because(err)
	}
	return err
}

// outage reports that the database, not a step, is at fault: trying the steps one by one would not help.
func outage(err error) bool {
	return errors.Is(err, sqldb.ErrUnavailable) || errors.Is(err, sqldb.ErrDiskFull) || errors.Is(err, sqldb.ErrUnknownOutcome) ||
		errors.Is(err, sqldb.ErrConflict) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
