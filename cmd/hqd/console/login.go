package console

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"bordergate/sync/wire"
)

// login checks a name and a password. It says the same, as slowly, for a name
// that nobody has.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	in, ok := read[struct {
		Name     string `json:"name"`
		Password string `json:"password"`
	}](w, r)
	if !ok {
		return
	}
	from, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		from = r.RemoteAddr
	}
	if !word(in.Name, maxName) {
		in.Name = "" // and so nobody's
	}
	pair := in.Name + "@" + from
	if c.tooSoon(w, pair, "@"+from) {
		return
	}
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-r.Context().Done():
		return
	}
	if c.tooSoon(w, pair, "@"+from) { // others were wrong while this one waited
		return
	}
	c.mu.Lock()
	u := c.users[in.Name]
	c.mu.Unlock()
	hash := u.Hash
	if hash == "" {
		hash = c.dummy
	}
	if !samePassword(hash, in.Password) || u.Hash == "" {
		c.wrongLogin(w, r, u, pair, from)
		return
	}
	c.limit.right(pair)
	id := newSessionID()
	if err := c.note(r.Context(), Entry{Who: u.Name, Role: u.Role, Session: hashOf(id), From: from, Do: DidLogin}, nil); err != nil {
		c.unwritten(w, err)
		return
	}
	if old, err := c.visitor(r, false); err == nil {
		_ = c.note(r.Context(), old.entry(DidLogout), nil) // the old cookie is replaced in any case
	}
	http.SetCookie(w, c.cookie(id))
	reply(w, struct{}{})
}

// tooSoon answers whoever has to wait.
func (c *Console) tooSoon(w http.ResponseWriter, keys ...string) bool {
	d := c.limit.wait(c.o.Now(), keys...)
	if d <= 0 {
		return false
	}
	s := int(d.Seconds()) + 1
	w.Header().Set("Retry-After", strconv.Itoa(s))
	fail(w, http.StatusTooManyRequests, fmt.Sprintf("too many wrong tries: wait %d s", s))
	return true
}

func (c *Console) wrongLogin(w http.ResponseWriter, r *http.Request, u User, pair, from string) {
	c.limit.wrong(c.o.Now(), pair, freeTries)
	c.limit.wrong(c.o.Now(), "@"+from, freeFrom)
	who := u.Name
	if who == "" {
		who = unknownName // what was typed may be a password
	}
	if err := c.note(r.Context(), Entry{Who: who, From: from, Do: DidRefuse}, nil); err != nil {
		c.unwritten(w, err)
		return
	}
	fail(w, http.StatusUnauthorized, "name or password is wrong")
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request, v visit) {
	if err := c.note(r.Context(), v.entry(DidLogout), nil); err != nil {
		c.unwritten(w, err)
		return
	}
	http.SetCookie(w, c.cookie(""))
	reply(w, struct{}{})
}

// watch begins a new hour of watching: it was handed over, or there was a break.
func (c *Console) watch(w http.ResponseWriter, r *http.Request, v visit) {
	if err := c.note(r.Context(), v.entry(DidWatch), nil); err != nil {
		c.unwritten(w, err)
		return
	}
	reply(w, struct{}{})
}

// alive says that somebody moves at the page.
func (c *Console) alive(w http.ResponseWriter, _ *http.Request, _ visit) { reply(w, struct{}{}) }

// me tells the page who sits before it.
func (c *Console) me(w http.ResponseWriter, _ *http.Request, v visit) {
	c.mu.Lock()
	var watch time.Time
	if s := c.sessions[v.session]; s != nil {
		watch = s.watch
	}
	c.mu.Unlock()
	reply(w, struct {
		Name      string            `json:"name"`
		Person    string            `json:"person"`
		Role      Role              `json:"role"`
		Officer   string            `json:"officer"`
		Rights    []right           `json:"rights"`
		CSRF      string            `json:"csrf"`
		Station   string            `json:"station"`
		Simulated bool              `json:"simulated"`
		Now       time.Time         `json:"now"`
		Watch     time.Time         `json:"watch"`
		WatchS    int               `json:"watch_s"`
		LateS     int               `json:"late_s"`
		Words     map[string]phrase `json:"words"`
		Reasons   []Code            `json:"reasons"`
		Orders    []string          `json:"orders"` // reasons of modes and directions
	}{
		v.user.Name, v.user.Person, v.user.Role, v.user.Officer, allowed[v.user.Role], csrfOf(v.id), c.o.Station, c.o.Simulated,
		c.o.Now().UTC(), watch, int(c.o.Watch.Seconds()), int(c.o.Late.Seconds()), phrases(), Codes(), wire.OrderReasons(),
	})
}

// Account is an account without its password.
type Account struct {
	Name    string `json:"name"`
	Person  string `json:"person"`
	Role    Role   `json:"role"`
	Officer string `json:"officer,omitempty"`
}

// Users lists the accounts, by name.
func (c *Console) Users() []Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := make([]Account, 0, len(c.users))
	for _, u := range c.users {
		out = append(out, Account{u.Name, u.Person, u.Role, u.Officer})
	}
	slices.SortFunc(out, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// SetUser makes an account, or changes one: what is empty stays as it is. Its
// sessions end where the password or the role is another.
func (c *Console) SetUser(ctx context.Context, by string, u User, password string, fresh bool) error {
	c.mu.Lock()
	old, known := c.users[u.Name]
	c.mu.Unlock()
	switch {
	case by == "":
		return fmt.Errorf("%w: nobody named as who orders it", ErrUser)
	case fresh && known:
		return fmt.Errorf("%w: there is one of this name", ErrUser)
	case !fresh && !known:
		return fmt.Errorf("%w: nobody has this name", ErrUser)
	}
	if known {
		u = User{Name: u.Name, Person: or(u.Person, old.Person), Role: Role(or(string(u.Role), string(old.Role))), Officer: or(u.Officer, old.Officer), Hash: old.Hash}
	}
	if err := u.check(); err != nil {
		return err
	}
	if password != "" || !known {
		var err error
		if u.Hash, err = hashPassword(password); err != nil {
			return err
		}
	}
	return c.note(ctx, Entry{Who: by, Do: DidUser, On: u.Name, User: &u}, nil)
}

// RemoveUser ends an account and its sessions.
func (c *Console) RemoveUser(ctx context.Context, by, name string) error {
	c.mu.Lock()
	_, known := c.users[name]
	c.mu.Unlock()
	if by == "" || !known {
		return fmt.Errorf("%w: nobody has this name, or nobody named as who orders it", ErrUser)
	}
	return c.note(ctx, Entry{Who: by, Do: DidRemove, On: name}, nil)
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
