// Command hqd is headquarters' end: broker, record store, decisions.
//
// Every command prints its result as JSON on standard output and everything
// else on standard error. The exit status is 0 for done and positive, 1 for
// done and negative (refused, not applied by all), 2 for could not do it. All
// commands but init, authority, broker and serve talk to a running "hqd serve" over its control
// socket; "gate add|renew|list|retire" work without one as well.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"bordergate/cmd/hqd/app"
	"bordergate/configs"
)

// Exit statuses; scripts rely on them.
const (
	exitDone     = 0
	exitNegative = 1
	exitUnable   = 2
)

// env is what a command may write to.
type env struct{ Out, Err io.Writer }

// command is one thing hqd can do.
type command struct {
	words   string
	summary string
	run     func(ctx context.Context, e env, args []string) error
}

// errNegative is a result that was printed and is not the hoped-for one.
var errNegative = errors.New("done and negative")

func commands() []command {
	return []command{
		{"init", "make headquarters' keys: --dir DIR", cmdInit},
		{"serve", "run headquarters: --config FILE [--store FOLDER|nats://A,B,C]", cmdServe},
		{"authority renew", "certify the TLS authority anew, with the root key: --dir DIR", cmdAuthorityRenew},
		{"gate add", "register a gate and certify its TLS key: --request FILE [--certificate FILE]", cmdGateAdd},
		{"gate renew", "sign a gate's certificate again: --gate ID [--certificate FILE]", cmdGateRenew},
		{"gate list", "list the registered gates", cmdGateList},
		{"gate retire", "retire a gate: --gate ID", cmdGateRetire},
		{"broker certify", "certify a broker that is not hqd's own: --name HOST[,HOST...] --out DIR", cmdBrokerCertify},
		{"enrol", "photo and holder to account, template and pass: --holder FILE --photo FILE --level 1|2 [--out LABEL --key FILE --cert FILE]", cmdEnrol},
		{"account put", "enrol accounts: --file FILE", cmdAccountPut},
		{"decide", "suspend|restore|cancel --account ID|--organisation ID --by NAME --role ROLE --authorisation REF --ground GROUND [--request N]", cmdDecide},
		{"pass revoke", "revoke a pass for good: --number N --ground GROUND --by NAME [--role ROLE --authorisation REF --request N]", cmdPassRevoke},
		{"stamp", "a pass was stamped: --pass N --by NAME [--at RFC3339], or --file FILE", cmdStamp},
		{"trust list", "whose seals gates believe", cmdTrustList},
		{"trust add", "add certificates and revocation lists: --by NAME [--fingerprint SHA256] FILE...", cmdTrustAdd},
		{"trust remove", "take certificates or lists out: --by NAME SHA256...", cmdTrustRemove},
		{"trust publish", "publish a folder in place of all, a policy, or all again: --by NAME [--dir DIR] [--lists RULE --list-age D --allow-p224]", cmdTrustPublish},
		{"applied", "which gates follow a decision: --decision ID", cmdApplied},
		{"notice sent", "a legal notice was sent: --decision ID --to WHOM [--as person|organisation]", cmdNotice},
		{"notice due", "decisions on which a notice is still missing, the soonest due first", cmdNoticeDue},
		{"watch add", "put on the watch-list: --account ID, --pass N, or --name NAME --birth DATE; --by NAME; or --file FILE", cmdWatchAdd},
		{"watch remove", "take off the watch-list: as watch add", cmdWatchRemove},
		{"command", "mode|restart|resync|clock|diagnostics --gate ID --by NAME [--mode closed|normal --wait D]", cmdCommand},
		{"policy show", "what gates decide by, and which follow it", cmdPolicyShow},
		{"policy publish", "have every gate decide by it: --by NAME [--manifest FILE...] FILE", cmdPolicyPublish},
		{"officer list", "whose acts gates believe", cmdOfficerList},
		{"officer add", "certify an officer's key: --id ID --key FILE --act ACT... --crossing CODE... --by NAME [--for D]", cmdOfficerAdd},
		{"officer remove", "an officer is none any more: --id ID --by NAME", cmdOfficerRemove},
		{"console user add", "an account of the officers' console: --name N --person NAME --role ROLE --by NAME [--officer ID] [--generate]", cmdConsoleUser("add")},
		{"console user set", "change one: --name N --by NAME [--role ROLE] [--person NAME] [--officer ID] [--password|--generate]", cmdConsoleUser("set")},
		{"console user passwd", "another password, from standard input: --name N --by NAME [--generate]", cmdConsoleUser("passwd")},
		{"console user remove", "end an account and its sessions: --name N --by NAME", cmdConsoleUser("remove")},
		{"console user list", "who can sign in", cmdConsoleUserList},
		{"console log", "who did and saw what at the console, the newest first", cmdConsoleLog},
		{"records", "list records: --gate G --stream S [--open]", cmdRecords},
		{"snapshot", "make a snapshot of the accounts now, for gates that are far behind", cmdSnapshot},
		{"crossings", "a person's crossings, the newest first: --account ID|--pass N [--limit N] [--open]", cmdCrossings},
		{"fleet", "every gate's state, cache age, clock, queue and drift; ends with 1 unless all are well", cmdFleet},
		{"follow", "records as they become known: [--gate G]", cmdFollow},
		{"status", "headquarters and its gates", cmdStatus},
	}
}

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return dispatch(ctx, env{os.Stdout, os.Stderr}, os.Args[1:])
}

// dispatch runs the command with the longest match of leading words.
func dispatch(ctx context.Context, e env, args []string) int {
	list := commands()
	best, used := -1, 0
	for i, c := range list {
		w := strings.Fields(c.words)
		if len(w) > used && len(w) <= len(args) && slices.Equal(w, args[:len(w)]) {
			best, used = i, len(w)
		}
	}
	if best < 0 {
		fmt.Fprintln(e.Err, "usage: hqd COMMAND [FLAGS]")
		for _, c := range list {
			fmt.Fprintf(e.Err, "  %-12s %s\n", c.words, c.summary)
		}
		return exitUnable
	}
	err := list[best].run(ctx, e, args[used:])
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return exitDone
	case errors.Is(err, errNegative):
		return exitNegative
	}
	fmt.Fprintf(e.Err, "hqd %s: %v\n", list[best].words, err)
	if errors.Is(err, app.ErrRefused) {
		return exitNegative
	}
	return exitUnable
}

// settings are the flags every command has: a file, or its values.
type settings struct {
	fs   *flag.FlagSet
	file string
	hq   configs.HQ
	over map[string]*string
}

func newFlags(e env, name string) *settings {
	s := &settings{fs: flag.NewFlagSet("hqd "+name, flag.ContinueOnError), over: make(map[string]*string)}
	s.fs.SetOutput(e.Err)
	s.fs.StringVar(&s.file, "config", "", "headquarters' file")
	for name, text := range map[string]string{
		"listen": "ssl://host:port of the MQTT listener, or tcp:// on this machine", "store": "folder of the store, or nats://a,b,c",
		"broker":   "ssl://host:port of another MQTT 3.1.1 broker in place of the listener",
		"identity": "folder of the keys", "control": "path of the control socket",
	} {
		s.over[name] = s.fs.String(name, "", text+", instead of the file's")
	}
	s.fs.Bool("json", true, "print JSON (always so)")
	return s
}

// demand is parse for a command without positional arguments that needs the
// named flags.
func (s *settings) demand(args []string, names ...string) error {
	if _, err := s.parse(args); err != nil {
		return err
	}
	return need(s.fs, names...)
}

// parse reads the flags, and the file where one is named. Flags may stand
// around the positional arguments, which it returns.
func (s *settings) parse(args []string) ([]string, error) {
	var rest []string
	for {
		if err := s.fs.Parse(args); err != nil {
			return nil, err
		}
		if args = s.fs.Args(); len(args) == 0 {
			break
		}
		rest, args = append(rest, args[0]), args[1:]
	}
	s.hq = configs.DefaultHQ()
	if s.file != "" {
		hq, faults := configs.LoadHQ(s.file)
		if err := faults.Err(); err != nil {
			return nil, err
		}
		s.hq = *hq
	}
	for name, to := range map[string]*string{
		"listen": &s.hq.Listen, "broker": &s.hq.Broker, "store": &s.hq.Store, "identity": &s.hq.Identity, "control": &s.hq.Control,
	} {
		if v := *s.over[name]; v != "" {
			*to = v
		}
	}
	return rest, nil
}

// cluster is what the file says of a cluster that is the store.
func (s *settings) cluster() (c app.Cluster, err error) {
	c.URL = s.hq.Cluster()
	if t := s.hq.StoreTLS; t.Authority != "" && c.URL != "" {
		c.Secure, err = app.ClusterTLS(t.Authority, t.Certificate, t.Key)
	}
	return c, err
}

// console is what the file says of the officers' console.
func (s *settings) console() app.ConsoleOptions {
	c := s.hq.Console
	return app.ConsoleOptions{
		Listen: c.Listen, Certificate: c.Certificate, Key: c.Key, Station: c.Station, Gates: c.Gates, Idle: c.Idle, Late: c.AnswerWithin,
	}
}

func (s *settings) client() *app.Client { return app.NewClient(s.hq.Control) }

func newLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelInfo}))
}
