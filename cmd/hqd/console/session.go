package console

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"time"
)

// maxSessions bounds who is signed in; the one longest unused makes room.
const maxSessions = 200

// session is somebody signed in. Its id is in his cookie alone.
type session struct {
	hash    string // of the id
	user    string
	started time.Time
	used    time.Time
	watch   time.Time // since when he has been watching
	streams int
}

// ErrSignedOut means that there is no session, or none any more.
var ErrSignedOut = errors.New("not signed in")

func newSessionID() string {
	b := make([]byte, 32)
	_, _ = rand.Read(b) // crypto/rand never fails
	return hex.EncodeToString(b)
}

func hashOf(id string) string {
	sum := sha256.Sum256([]byte("session " + id))
	return hex.EncodeToString(sum[:])
}

// csrfOf is the token that the page sends with whatever changes something. It
// follows from the id, which only the cookie's owner has.
func csrfOf(id string) string {
	m := hmac.New(sha256.New, []byte(id))
	m.Write([]byte("csrf"))
	return hex.EncodeToString(m.Sum(nil))
}

// cookieName begins with __Host- where there is TLS: no other host or path can
// set it then.
func (c *Console) cookieName() string {
	if c.o.TLS != nil {
		return "__Host-console"
	}
	return "console"
}

func (c *Console) cookie(id string) *http.Cookie {
	k := &http.Cookie{
		Name: c.cookieName(), Value: id, Path: "/", HttpOnly: true, Secure: c.o.TLS != nil, SameSite: http.SameSiteStrictMode,
	}
	if id == "" {
		k.MaxAge = -1
	}
	return k
}

// visit is a request by somebody signed in.
type visit struct {
	id      string
	session string
	user    User
}

// entry begins an entry of the log by him.
func (v visit) entry(do string) Entry {
	return Entry{Who: v.user.Name, Role: v.user.Role, Session: v.session, Do: do}
}

// visitor finds the session of a request; active tells whether somebody did
// something, or a page only asked for news.
func (c *Console) visitor(r *http.Request, active bool) (visit, error) {
	k, err := r.Cookie(c.cookieName())
	if err != nil {
		return visit{}, ErrSignedOut
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	s := c.sessions[hashOf(k.Value)]
	if s == nil || c.over(s) != "" {
		return visit{}, ErrSignedOut
	}
	if active {
		s.used = c.o.Now()
	}
	return visit{id: k.Value, session: s.hash, user: c.users[s.user]}, nil
}

// over says why a session is none any more; empty while it is one. The caller
// holds mu.
func (c *Console) over(s *session) string {
	now := c.o.Now()
	switch {
	case now.Sub(s.used) >= c.o.Idle:
		return "unused"
	case now.Sub(s.started) >= c.o.Longest:
		return "too old"
	case c.users[s.user].Name == "":
		return "account gone"
	}
	return ""
}

// endSessions logs the end of those that are over.
func (c *Console) endSessions(ctx context.Context) {
	c.mu.Lock()
	var ended []Entry
	for _, s := range c.sessions {
		if why := c.over(s); why != "" {
			ended = append(ended, Entry{Who: s.user, Session: s.hash, Do: DidExpire, What: why})
		}
	}
	c.mu.Unlock()
	for _, e := range ended {
		if err := c.note(ctx, e, nil); err != nil {
			c.o.Logger.Warn("End of a session is not on record", "error", err)
			return
		}
	}
}

// note writes an entry.
func (c *Console) note(ctx context.Context, e Entry, may func() error) error {
	e.At = c.o.Now().UTC()
	// Who goes away must not leave a doubt of whether he was seen.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), noteWait)
	defer cancel()
	return c.log.Append(ctx, e, may)
}

// noteWait bounds the wait for the log.
const noteWait = 15 * time.Second

// take moves what is kept in memory over an entry of the log, in its order.
func (c *Console) take(e Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch e.Do {
	case DidUser:
		if e.User != nil {
			if old := c.users[e.User.Name]; old.Hash != e.User.Hash || old.Role != e.User.Role {
				c.dropSessions(e.User.Name)
			}
			c.users[e.User.Name] = *e.User
		}
	case DidRemove:
		delete(c.users, e.On)
		c.dropSessions(e.On)
	case DidLogin:
		if c.o.Now().Sub(e.At) < c.o.Longest {
			c.keepSession(&session{hash: e.Session, user: e.Who, started: e.At, used: c.o.Now(), watch: e.At})
		}
	case DidLogout, DidExpire:
		delete(c.sessions, e.Session)
	case DidWatch:
		if s := c.sessions[e.Session]; s != nil {
			s.watch = e.At
		}
	case DidClaim, DidFail, DidAnswer, DidOverdue:
		c.board.answered(e)
	}
}

func (c *Console) dropSessions(user string) {
	for h, s := range c.sessions {
		if s.user == user {
			delete(c.sessions, h)
		}
	}
}

func (c *Console) keepSession(s *session) {
	if len(c.sessions) >= maxSessions {
		var oldest *session
		for _, o := range c.sessions {
			if oldest == nil || o.used.Before(oldest.used) {
				oldest = o
			}
		}
		delete(c.sessions, oldest.hash)
	}
	c.sessions[s.hash] = s
}
