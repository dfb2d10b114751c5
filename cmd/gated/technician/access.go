package technician

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const tokenBytes = 16

// tokenOf takes over the token of a file that this user wrote and nobody else
// may have changed, or makes one.
func tokenOf(path string) (string, error) {
	if t := tokenIn(path); t != "" {
		return t, nil
	}
	b := make([]byte, tokenBytes)
	_, _ = rand.Read(b) // never fails: crypto/rand ends the process instead
	token := hex.EncodeToString(b)
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return "", fmt.Errorf("make folder of technician.token_file: %w", err)
	}
	// Made anew, so that a link that lies there is replaced, not followed.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("write technician.token_file: %w", err)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err == nil {
		_, err = f.WriteString(token + "\n")
		err = errors.Join(err, f.Chmod(0o640), f.Close()) // the service's mask keeps the group out
	}
	if err != nil {
		return "", fmt.Errorf("write technician.token_file: %w (give the daemon's user the folder, or set another file)", err)
	}
	return token, nil
}

func tokenIn(path string) string {
	info, err := os.Lstat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode().Perm()&0o027 != 0 || info.Size() > 128 {
		return ""
	}
	if st, ok := info.Sys().(*syscall.Stat_t); !ok || int(st.Uid) != os.Geteuid() {
		return ""
	}
	b, err := os.ReadFile(path)
	token := strings.TrimSpace(string(b))
	if raw, bad := hex.DecodeString(token); err != nil || bad != nil || len(raw) != tokenBytes {
		return ""
	}
	return token
}

// maxSessions bounds who is signed in; the one longest unused makes room.
const maxSessions = 16

// sessions are who is signed in. A cookie says when it was last used, signed by
// the token, so that a daemon that starts again knows it.
type sessions struct {
	token string
	idle  time.Duration
	now   func() time.Time

	mu   sync.Mutex
	used map[string]time.Time // by id; zero: signed out
}

// begin gives the cookie's value of a new session.
func (s *sessions) begin() string {
	b := make([]byte, tokenBytes)
	_, _ = rand.Read(b) // never fails
	id := hex.EncodeToString(b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.keep(id, s.now())
	return s.sealed(id, s.now())
}

// keep notes a use. The caller holds mu.
func (s *sessions) keep(id string, at time.Time) {
	for k, t := range s.used {
		if s.now().Sub(t) >= s.idle && !t.IsZero() {
			delete(s.used, k)
		}
	}
	for len(s.used) >= maxSessions && s.used[id].IsZero() {
		oldest := ""
		for k, t := range s.used {
			if oldest == "" || t.Before(s.used[oldest]) {
				oldest = k
			}
		}
		delete(s.used, oldest)
	}
	s.used[id] = at
}

func (s *sessions) sealed(id string, at time.Time) string {
	text := id + "." + strconv.FormatInt(at.Unix(), 10)
	m := hmac.New(sha256.New, []byte(s.token))
	m.Write([]byte("technician " + text))
	return text + "." + hex.EncodeToString(m.Sum(nil))
}

// who finds the session of a cookie's value; touch notes that somebody used it,
// and gives the value to go on with.
func (s *sessions) who(value string, touch bool) (id, next string, ok bool) {
	parts := strings.Split(value, ".")
	if len(parts) != 3 || len(value) > 256 {
		return "", "", false
	}
	unix, err := strconv.ParseInt(parts[1], 10, 64)
	at := time.Unix(unix, 0)
	if err != nil || subtle.ConstantTimeCompare([]byte(s.sealed(parts[0], at)), []byte(value)) != 1 {
		return "", "", false
	}
	id = parts[0]
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.now()
	used, known := s.used[id]
	if !known {
		used = at // of before the daemon's start
	}
	if since := now.Sub(used); used.IsZero() || since >= s.idle || since < -time.Minute {
		return "", "", false
	}
	if touch {
		used = now
	}
	s.keep(id, used)
	return id, s.sealed(id, used), true
}

func (s *sessions) end(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used[id] = time.Time{}
}

// Bounds of wrong tries.
const (
	freeTries   = 5
	longestWait = time.Minute
	maxTracked  = 1024
)

// limiter slows down whoever tries tokens: beyond what is free each wrong one
// doubles the wait.
type limiter struct {
	mu    sync.Mutex
	tries map[string]tries
}

type tries struct {
	n     int
	until time.Time
}

func (l *limiter) wait(now time.Time, from string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tries[from].until.Sub(now)
}

func (l *limiter) wrong(now time.Time, from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.tries) >= maxTracked {
		clear(l.tries) // a crowd of addresses: the token is long enough
	}
	t := l.tries[from]
	t.n++
	if over := t.n - freeTries; over >= 0 {
		t.until = now.Add(min(time.Second<<min(over, 10), longestWait))
	}
	l.tries[from] = t
}

func (l *limiter) right(from string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.tries, from)
}

func sender(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// same compares a token in constant time.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}
