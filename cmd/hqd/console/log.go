package console

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// What the log says was done.
const (
	DidUser     = "user"           // an account was made or changed
	DidRemove   = "user_removed"   //
	DidLogin    = "login"          //
	DidRefuse   = "login_refused"  //
	DidLogout   = "logout"         //
	DidExpire   = "session_over"   // by time, or since the account changed
	DidWatch    = "watch"          // the watch was handed over, or a break taken
	DidLook     = "look_up"        // a person was shown
	DidPhoto    = "photo"          // a picture was asked for
	DidAnswer   = "answer"         // an exception was answered
	DidClaim    = "admit_sent"     // an act is on its way: the exception is his who sent it
	DidFail     = "admit_refused"  // the gate did not follow: anybody may answer again
	DidStamp    = "stamp"          //
	DidMode     = "mode"           //
	DidStop     = "stop"           // every lane
	DidAct      = "act"            // an officer's signed act that is not an admission
	DidRead     = "log_read"       //
	DidOverdue  = "answer_overdue" // nobody answered in time
	bySystem    = "console"
	unknownName = "unknown"
)

// Entry is a line of the log: who did what, when. It stands sealed in the store.
type Entry struct {
	Seq     uint64    `json:"seq,omitempty"` // its place; the log's
	At      time.Time `json:"at"`
	Who     string    `json:"who"`
	Role    Role      `json:"role,omitempty"`
	Session string    `json:"session,omitempty"` // hash of the session's id
	From    string    `json:"from,omitempty"`    // address, with log-ins
	Do      string    `json:"do"`
	On      string    `json:"on,omitempty"`   // exception, lane or account
	What    string    `json:"what,omitempty"` // answer, mode, picture
	Reason  string    `json:"reason,omitempty"`
	Note    string    `json:"note,omitempty"`
	Outcome string    `json:"outcome,omitempty"`
	User    *User     `json:"user,omitempty"`
}

// User is an account. Hash is of the password, in argon2id's own form. Officer
// is his id on headquarters' list of officers, where his key is certified.
type User struct {
	Name    string `json:"name"`
	Person  string `json:"person"` // as colleagues call him
	Role    Role   `json:"role"`
	Hash    string `json:"hash"`
	Officer string `json:"officer,omitempty"`
}

// Log is headquarters' append-only log. Append makes an entry durable after all
// that is there before it, and has it taken by the console, or does neither;
// may, where not nil, is asked at that very place. Tail gives up to n entries
// that stand before the place, the newest first; 0 is the end.
type Log interface {
	Append(ctx context.Context, e Entry, may func() error) error
	Tail(ctx context.Context, before uint64, n int) ([]Entry, error)
}

// Limits of accounts and of what people write.
const (
	maxName     = 32
	maxPerson   = 80
	maxNote     = 300
	minPassword = 10
	maxPassword = 200
)

// ErrUser means that an account cannot be so.
var ErrUser = errors.New("account is refused")

// check holds an account to its form.
func (u User) check() error {
	switch {
	case !word(u.Name, maxName):
		return fmt.Errorf("%w: a name is 1 to %d of a-z, 0-9, '.' and '-'", ErrUser, maxName)
	case u.Person == "" || len(u.Person) > maxPerson || hasControl(u.Person):
		return fmt.Errorf("%w: want the person's name, up to %d bytes", ErrUser, maxPerson)
	case allowed[u.Role] == nil:
		return fmt.Errorf("%w: role is one of %v", ErrUser, Roles())
	case u.Officer != "" && !word(u.Officer, maxName):
		return fmt.Errorf("%w: the officer's id is as hqd officer list shows it", ErrUser)
	}
	return nil
}

func word(s string, longest int) bool {
	if s == "" || len(s) > longest {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

func hasControl(s string) bool {
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			return true
		}
	}
	return false
}
