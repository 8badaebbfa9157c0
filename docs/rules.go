package docs

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"plenum.internal/docs/ot"
	"plenum.internal/mesh/letters"
	"plenum.internal/mesh/rpc"
	"plenum.internal/mesh/topic"
	docsv1 "plenum.internal/proto/plenum/docs/v1"
	edgev1 "plenum.internal/proto/plenum/edge/v1"
)

// Limits of what people may write; docs.proto names them to clients.
const (
	MaxTitle  = 200       // bytes
	MaxDelta  = 1 << 20   // bytes
	MaxRoles  = 500       // principals with a role in one document
	MaxPage   = 200       // documents, or versions, in one answer
	page      = 50        // if the caller doesn't say
	MaxName   = 100       // bytes of a version's name
	MaxNamed  = 200       // versions of a document with a name
	MaxRanges = 2000      // of Blame in one answer
	ranges    = 500       // if the caller doesn't say
	readBytes = 512 << 10 // of content in one answer, about

	MaxContainers = 50 // groups, channels and links with a role in one document

	MaxComment      = 8 << 10 // bytes
	MaxCommentEdits = 200
	MaxMentions     = 50  // people named in a comment
	MaxGroups       = 10  // groups named in a comment
	MaxQuote        = 300 // code units
	MaxThreads      = 5000
	MaxOpenThreads  = 500
	MaxComments     = 200 // in a thread, the deleted ones counted
	MaxThreadPage   = 50  // threads in one answer
	threadPage      = 20  // if the caller doesn't say
	commentPage     = 100 // comments in one answer
	commentsShown   = 3   // of each thread in a list

	MaxSuggestion      = 64 << 10  // bytes of its delta, as its author sends it
	MaxSuggested       = 128 << 10 // as the edits of others have cut it up; what becomes longer is gone
	MaxDescription     = 1 << 10   // bytes
	MaxOpenSuggestions = 200
	MaxOpenSuggested   = 1 << 20 // bytes of their deltas, as they were made or revised
	MaxSuggestions     = 5000
	MaxRevisions       = 500
	MaxSuggestionPage  = 50 // suggestions in one answer
	suggestionPage     = 20 // if the caller doesn't say
)

// Limits of lists.
const (
	MaxStars   = 500 // documents that somebody has starred
	MaxRecent  = 500 // documents that somebody opened, which are remembered
	MaxFolders = 1000
	MaxDepth   = 8   // of folders in each other
	MaxFolder  = 100 // bytes of a folder's name

	MaxNotices    = 500                 // of one person, which are kept
	keepNotices   = 90 * 24 * time.Hour // and no longer than that
	MaxNoticePage = 100                 // notices in one answer
)

// Permissions of tokens, as identity's policy matrix names them.
const (
	mayCreate = "docs.create"
	mayManage = "docs.manage"
)

const (
	topicDocument  = "docs.document/"
	topicAwareness = "docs.awareness/"
	topicWorkspace = "docs.workspace/"
	topicUser      = "docs.user/"
	untitled       = "Untitled"
)

// The roles, in the order of what they may do.
const (
	viewer    = docsv1.Role_ROLE_VIEWER
	commenter = docsv1.Role_ROLE_COMMENTER
	editor    = docsv1.Role_ROLE_EDITOR
	owner     = docsv1.Role_ROLE_OWNER
)

// What is answered where the same words serve in several places.
var (
	errDocument   = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.DOCUMENT", "There is no such document, or it was not shared with you.").On("document")
	errVersion    = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.VERSION", "The document has no such version.").On("version")
	errForbidden  = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "Your role does not allow this. Ask an owner of the document.")
	errMayCreate  = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "You may not create documents here. Ask an administrator of the workspace.")
	errTrashed    = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.TRASHED", "The document is in the trash. Take it out first.")
	errLastOwner  = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LAST_OWNER", "The document needs an owner who is active. Make somebody else an owner first.")
	errFuture     = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.FUTURE", "The document has no such version yet. Send the version that you were told.").On("base")
	errChain      = rpc.Errorf(edgev1.Code_CODE_CONFLICT, "docs.CHAIN", "Somebody edited in between. Wait for the answers of your edits, and send this one again with the newest version.").On("base")
	errBaseTooOld = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.BASE_TOO_OLD", "Too much has changed since this version. Read the document anew, and bring your changes to it.").On("base")
	errAway       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY", "The document is moving to another server. Try again in a moment.").RetryIn(200 * time.Millisecond)
	errUnused     = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY", "This was not done. Try again in a moment.")
	errPlacement  = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.AWAY", "The document can't be opened until the servers agree again on who has it. Try again in a moment.").RetryIn(time.Second)
	errBusy       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY", "Too many edits of this document wait to be stored. Try again in a moment.").RetryIn(time.Second)
	errReading    = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY", "The document's history is long, and not gone over to its end yet. Ask again in a moment.").RetryIn(time.Second)
	errTurn       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY", "The server has much to do, or much of yours. Nothing was done. Try again in a moment.").RetryIn(time.Second)
	errFull       = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY", "Too many documents are open on this server. Try again in a minute.").RetryIn(10 * time.Second)
	errWatched    = rpc.Errorf(edgev1.Code_CODE_UNAVAILABLE, "docs.BUSY", "Too many people look at who is in documents on this server. Try again in a minute.").RetryIn(10 * time.Second)
	errLookers    = errLimit("You look at who is in documents in %d windows. Close some of them.", maxLookersOf)
	errWatchedOf  = errLimit("You look at who is in %d documents, or did within the last half minute. Close some of them, and try again in half a minute.", maxWatchedOf)
	errDamaged    = rpc.Errorf(edgev1.Code_CODE_INTERNAL, "docs.DAMAGED", "The document can't be read. Nothing was changed. Tell your administrator.")
	errOutcome    = rpc.Errorf(edgev1.Code_CODE_OUTCOME_UNKNOWN, "docs.OUTCOME", "Nobody knows yet whether this was done. Repeat it with the same client_seq.")
	errKey        = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.KEY_MISSING", "Send a client_id and a client_seq with this call.").On("client_seq")
	errNoLinks    = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "This workspace does not allow links to documents. An administrator can allow them.")
	errLink       = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.LINK", "This link does not open a document, or not any more. Ask whoever gave it to you for a new one.").On("secret")
	errTopic      = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.TOPIC", "There is no such topic.")
)

// What is answered about folders, the trash, and what was erased.
var (
	errFolder     = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.FOLDER", "There is no such folder.").On("folder")
	errParent     = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.FOLDER", "There is no such folder to stand in.").On("parent")
	errNotEmpty   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.NOT_EMPTY", "There are folders in it. Move or delete them first.")
	errMayFolder  = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "Folders are for the workspace's members, and you may not make any. Ask an administrator of the workspace.")
	errMayManage  = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "Somebody else made this folder. Ask them, or an administrator of the workspace.")
	errNotTrashed = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.NOT_TRASHED", "The document is not in the trash. Put it there first.")
	errPage       = badField("page", "Send the next of the page before, or nothing.")
)

// errErased says that a version lies below the floor.
func errErased(floor uint64) error {
	return rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.VERSION", "What the document was before version %d has been erased.", floor).On("version")
}

// What is answered about comments.
var (
	errThread    = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.THREAD", "There is no such thread.").On("thread")
	errComment   = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.COMMENT", "There is no such comment.").On("comment")
	errDeleted   = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.DELETED", "This comment was deleted.").On("comment")
	errNotAuthor = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "Only its author can edit a comment.")
	errGone      = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE", "Somebody has just deleted this text. Select another one to comment on.").On("base")
	errPastEnd   = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.PAST_END", "The range goes past the end of the document.").On("to")
	errSplitPair = rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.SPLIT_SURROGATE", "The range begins or ends inside of a surrogate pair.").On("from")
)

// What is answered about suggestions.
var (
	errSuggestion     = rpc.Errorf(edgev1.Code_CODE_NOT_FOUND, "docs.SUGGESTION", "There is no such suggestion.").On("suggestion")
	errNotSuggester   = rpc.Errorf(edgev1.Code_CODE_PERMISSION_DENIED, "docs.FORBIDDEN", "Only its author can revise or withdraw a suggestion.")
	errSuggestionGone = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE", "The text that this suggestion is for was deleted. Reject or withdraw it.").On("suggestion")
	errNothingLeft    = rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.GONE", "Somebody has just deleted the text that this is for, or changed it likewise. Look at the document again.").On("base")
	errRevised        = rpc.Errorf(edgev1.Code_CODE_CONFLICT, "docs.REVISED", "Its author has revised this suggestion since you have seen it. Look at it again.").On("seen")
)

// errClosed says what has become of a suggestion.
func errClosed(state docsv1.SuggestionState) error {
	what := strings.ToLower(strings.TrimPrefix(state.String(), "SUGGESTION_STATE_"))
	return rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.CLOSED", "This suggestion was %s already.", what).On("suggestion")
}

func errLimit(format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_FAILED_PRECONDITION, "docs.LIMIT", format, args...)
}

func badField(field, format string, args ...any) error {
	return rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.BAD_FIELD", format, args...).On(field)
}

// checkTitle accepts one line of 1 to MaxTitle bytes of UTF-8, and returns it without the blanks around it.
func checkTitle(s string) (string, error) {
	t, err := checkLine("title", s, MaxTitle)
	if err == nil && t == "" {
		return "", badField("title", "Give the document a title.")
	}
	return t, err
}

// checkFolder accepts a folder's name.
func checkFolder(s string) (string, error) {
	t, err := checkLine("name", s, MaxFolder)
	if err == nil && t == "" {
		return "", badField("name", "Give the folder a name.")
	}
	return t, err
}

// checkLine accepts a line of at most so many bytes of UTF-8, and returns it without the blanks around it.
func checkLine(field, s string, most int) (string, error) {
	t := strings.TrimSpace(s)
	switch {
	case len(t) > most:
		return "", badField(field, "Too long: %d bytes are allowed, these are %d.", most, len(t))
	case !utf8.ValidString(t) || strings.ContainsFunc(t, breaksLine):
		return "", badField(field, "This has to be one line of UTF-8, without characters that control how it is shown.")
	case letters.Crowded(t):
		return "", badField(field, "Put at most %d accents on a letter.", letters.MaxMarks)
	case t != "" && !strings.ContainsFunc(t, shows):
		return "", badField(field, "Nothing of this can be seen. Use letters.")
	}
	return t, nil
}

// breaksLine says of a character that no line has it: a control character, one that ends a line or a paragraph, or one that has what follows, beside the
// line perhaps, be shown in another order.
func breaksLine(r rune) bool {
	return unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || r >= '\u202a' && r <= '\u202e' || r >= '\u2066' && r <= '\u2069'
}

// shows says of a character that something can be seen of it, by itself.
func shows(r rune) bool {
	return !unicode.IsSpace(r) && r != '\u2800' && !unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// parse reads a delta that somebody sends: {"ops":[…]}, and not the list alone, which the engine takes, too.
func (s *Server) parse(text string) (ot.Delta, error) {
	if strings.HasPrefix(strings.TrimLeft(text, " \t\r\n"), "[") {
		return ot.Delta{}, rpc.Errorf(edgev1.Code_CODE_INVALID_ARGUMENT, "docs.DELTA", `A delta is an object, {"ops":[…]}, and not the list alone.`).On("delta")
	}
	d, err := ot.Parse([]byte(text), s.limits)
	if err != nil {
		return d, refusal(err)
	}
	return d, nil
}

func validID(s string) bool { return len(s) <= 26 && topic.ValidID(s) }
