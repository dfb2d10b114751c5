package app

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"bordergate/cmd/hqd/console"
)

// ConsoleOptions are those of the officers' console. Without Listen there is
// none.
type ConsoleOptions struct {
	Listen           string // host:port
	Certificate, Key string // PEM files; empty on this machine alone
	Station          string // as the page calls it
	Gates            []string
	Idle, Late       time.Duration
}

// errNoConsole means that this headquarters serves no console.
var errNoConsole = errors.New("this hqd serves no console: set console.listen in its file")

// desk is the console with its listener.
type desk struct {
	*console.Console
	ln      net.Listener
	log     *audit
	station station
	secure  bool
}

// openConsole opens the console's listener and its log.
func (a *App) openConsole(ctx context.Context) error {
	o := a.opts.Console
	if o.Listen == "" {
		return nil
	}
	d := &desk{station: station{a, o.Gates}}
	var conf *tls.Config
	if o.Certificate != "" {
		pair, err := tls.LoadX509KeyPair(o.Certificate, o.Key)
		if err != nil {
			return fmt.Errorf("open console: read console.certificate and console.key: %w", err)
		}
		conf = &tls.Config{MinVersion: tls.VersionTLS13, Certificates: []tls.Certificate{pair}}
	}
	d.secure = conf != nil
	var err error
	d.Console, err = console.New(ctx, console.Options{
		Station: o.Station, TLS: conf, Archive: d.station, Orders: d.station, Idle: o.Idle, Late: o.Late,
		Simulated: a.opts.Simulated, Logger: a.opts.Logger.With("component", "console"),
		OpenLog: func(ctx context.Context, take func(console.Entry)) (console.Log, error) {
			d.log, err = openAudit(ctx, a.store, a.id, take)
			return d.log, err
		},
	})
	if err != nil {
		return err
	}
	if d.ln, err = net.Listen("tcp", o.Listen); err != nil {
		return fmt.Errorf("open console: %w", err)
	}
	a.defers(func() error {
		if err := d.ln.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
			return err
		}
		return nil
	})
	a.desk = d
	return nil
}

// ConsoleAddress is where officers open the console; empty where there is none.
func (a *App) ConsoleAddress() string {
	if a.desk == nil {
		return ""
	}
	scheme := "http://"
	if a.desk.secure {
		scheme = "https://"
	}
	return scheme + a.desk.ln.Addr().String()
}

// serveConsole works until ctx ends.
func (a *App) serveConsole(ctx context.Context) {
	if err := a.desk.Serve(ctx, a.desk.ln); err != nil && ctx.Err() == nil {
		a.opts.Logger.Error("Console ended", "error", err)
	}
}

// UserOrder makes, changes or removes an account of the console.
type UserOrder struct {
	Do       string       `json:"do"` // add, set or remove
	By       string       `json:"by"`
	Name     string       `json:"name"`
	Person   string       `json:"person,omitempty"`
	Role     console.Role `json:"role,omitempty"`
	Officer  string       `json:"officer,omitempty"`
	Password string       `json:"password,omitempty"`
}

func (a *App) listUsers(w http.ResponseWriter, _ *http.Request) {
	if a.desk == nil {
		reply(w, nil, errNoConsole)
		return
	}
	reply(w, a.desk.Users(), nil)
}

func (a *App) changeUser(w http.ResponseWriter, r *http.Request) {
	o, ok := orderOf[UserOrder](w, r, console.ErrUser)
	if !ok {
		return
	}
	err := errNoConsole
	switch {
	case a.desk == nil:
	case o.Do == "remove":
		err = a.desk.RemoveUser(r.Context(), o.By, o.Name)
	default:
		u := console.User{Name: o.Name, Person: o.Person, Role: o.Role, Officer: o.Officer}
		err = a.desk.SetUser(r.Context(), o.By, u, o.Password, o.Do == "add")
	}
	if err != nil {
		reply(w, nil, err)
		return
	}
	reply(w, a.desk.Users(), nil)
}

// showAudit lists the newest entries of the console's log, for those who have
// the socket.
func (a *App) showAudit(w http.ResponseWriter, r *http.Request) {
	if a.desk == nil {
		reply(w, nil, errNoConsole)
		return
	}
	list, err := a.desk.log.Tail(r.Context(), 0, maxCrossings)
	for i := range list {
		list[i].User, list[i].Session = nil, ""
	}
	reply(w, list, err)
}
