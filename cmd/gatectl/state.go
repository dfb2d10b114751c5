package main

import (
	"context"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"

	"bordergate/configs"
	"bordergate/sync/accounts"
	"bordergate/sync/journal"
	"bordergate/sync/vault"
	"bordergate/sync/wire"
)

func stateCommands() []command {
	return []command{
		{words: "account show", summary: "what this gate knows of an account", run: runAccountShow},
		{words: "account stats", summary: "how many accounts this gate knows and how fresh they are", run: runAccountStats},
		{words: "journal export", summary: "print the journal's records, a line each", run: runJournalExport},
		{words: "journal verify", summary: "check every record and the chain of the journal", run: runJournalVerify},
	}
}

// Where gated keeps its state, below paths.state.
const (
	journalFile  = "journal.db"
	accountsFile = "accounts.db"
	keysDir      = "keys"
	accountsKey  = "accounts"
)

// stateFlags are what the commands on a gate's state have in common.
type stateFlags struct {
	fs     *flag.FlagSet
	config *string
	path   *string
	json   *bool
}

func newStateFlags(e env, words string) stateFlags {
	fs := newFlags(e, words)
	return stateFlags{
		fs:     fs,
		config: fs.String("config", "", "the gate's configuration file"),
		path:   fs.String("path", "", "a copy of the database file to read instead of the gate's own"),
		json:   fs.Bool("json", false, "one JSON document a line; else indented for reading"),
	}
}

// load reads the configuration; without --config it gives nil.
func (f *stateFlags) load() (*configs.Gate, error) {
	if *f.config == "" {
		return nil, nil
	}
	cfg, faults := configs.LoadGate(*f.config)
	if len(faults) > 0 {
		return nil, fmt.Errorf("load configuration: %w", faults)
	}
	return cfg, nil
}

// state is where a command finds what it asks for: a running gated, or files.
type state struct {
	cfg     *configs.Gate // nil when only a copy was named
	control *controlClient
	path    string // of the file to read when control is nil
}

// find prefers the running gated, which holds the files; file is the
// database's name below paths.state.
func (f *stateFlags) find(ctx context.Context, file string) (state, error) {
	cfg, err := f.load()
	if err != nil {
		return state{}, err
	}
	switch {
	case *f.path != "":
		return state{cfg: cfg, path: *f.path}, nil
	case cfg == nil:
		return state{}, errors.New("name the gate with --config FILE, or a copy with --path FILE")
	}
	s := state{cfg: cfg, path: filepath.Join(cfg.Paths.State, file)}
	c := newControlClient(cfg.Paths.Control)
	if c.alive(ctx) {
		s.control = c
	}
	return s, nil
}

// identity reads the gate's keys, which the accounts and personal parts need.
func (s *state) identity() (*vault.Identity, error) {
	if s.cfg == nil {
		return nil, errors.New("the gate's keys are needed: name the gate with --config FILE")
	}
	return vault.LoadIdentity(s.cfg.Paths.Identity)
}

// printDoc writes one document.
func (f *stateFlags) printDoc(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if !*f.json {
		enc.SetIndent("", "  ")
	}
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("write result: %w", err)
	}
	return nil
}

// errUnknownAccount means that the gate does not know the account.
var errUnknownAccount = errors.New("this gate does not know that account")

func runAccountShow(ctx context.Context, e env, args []string) int {
	const words = "account show"
	f := newStateFlags(e, words)
	rest, status, ok := parseFlags(f.fs, args)
	if !ok {
		return status
	}
	if len(rest) != 1 {
		return unable(e, words, errors.New("name one account: gatectl account show ID --config FILE [--json]"))
	}
	doc, err := accountDoc(ctx, &f, rest[0])
	if err == nil {
		err = f.printDoc(e.Out, doc)
	}
	switch {
	case errors.Is(err, errUnknownAccount):
		fmt.Fprintf(e.Err, "gatectl %s: %v\n", words, err)
		return exitNegative
	case err != nil:
		return unable(e, words, err)
	}
	return exitDone
}

func accountDoc(ctx context.Context, f *stateFlags, id string) (any, error) {
	s, err := f.find(ctx, accountsFile)
	if err != nil {
		return nil, err
	}
	if s.control != nil {
		doc, err := s.control.get(ctx, "/v1/accounts/"+url.PathEscape(id))
		if errors.Is(err, errNotFound) {
			return nil, errUnknownAccount
		}
		return doc, err
	}
	r, err := s.openAccounts()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	a, known, err := r.Show(id)
	if err == nil && !known {
		err = errUnknownAccount
	}
	return a, err
}

func (s *state) openAccounts() (*accounts.Replica, error) {
	id, err := s.identity()
	if err != nil {
		return nil, err
	}
	return accounts.Open(accounts.Options{Path: s.path, Key: vault.Derive(id.Master, accountsKey), ReadOnly: true})
}

func runAccountStats(ctx context.Context, e env, args []string) int {
	const words = "account stats"
	f := newStateFlags(e, words)
	rest, status, ok := parseFlags(f.fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return unable(e, words, errors.New("gatectl account stats --config FILE [--json] takes no other words"))
	}
	doc, err := statsDoc(ctx, &f)
	if err == nil {
		err = f.printDoc(e.Out, doc)
	}
	if err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

func statsDoc(ctx context.Context, f *stateFlags) (any, error) {
	s, err := f.find(ctx, accountsFile)
	if err != nil {
		return nil, err
	}
	if s.control != nil {
		return s.control.get(ctx, "/v1/accounts/stats")
	}
	r, err := s.openAccounts()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Stats(), nil
}

// runJournalExport prints a record a line, personal parts only with --open.
func runJournalExport(ctx context.Context, e env, args []string) int {
	const words = "journal export"
	f := newStateFlags(e, words)
	open := f.fs.Bool("open", false, "print personal parts too, as far as their keys still exist")
	rest, status, ok := parseFlags(f.fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return unable(e, words, errors.New("gatectl journal export --config FILE [--open] takes no other words"))
	}
	s, err := f.find(ctx, journalFile)
	if err == nil && s.control != nil {
		path := "/v1/journal/export"
		if *open {
			path += "?open=true"
		}
		err = s.control.lines(ctx, path, e.Out)
	} else if err == nil {
		err = s.export(ctx, e.Out, *open)
	}
	if err != nil {
		return unable(e, words, err)
	}
	return exitDone
}

func (s *state) export(ctx context.Context, w io.Writer, personal bool) error {
	var open journal.OpenFunc
	if personal {
		id, err := s.identity()
		if err != nil {
			return err
		}
		v, err := vault.Open(filepath.Join(s.cfg.Paths.State, keysDir), id.Master)
		if err != nil {
			return err
		}
		open = v.Open
	}
	r, err := journal.OpenReadOnly(s.path)
	if err != nil {
		return err
	}
	defer r.Close()
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return r.Export(ctx, func(raw journal.RawRecord) error {
		l, err := journal.NewLine(raw, open)
		if err != nil {
			return err
		}
		return enc.Encode(l)
	})
}

// runJournalVerify ends with 1 when the journal is not what it was.
func runJournalVerify(ctx context.Context, e env, args []string) int {
	const words = "journal verify"
	f := newStateFlags(e, words)
	request := f.fs.String("request", "", "the gate's request.json, whose key signed a copy that is read without --config")
	rest, status, ok := parseFlags(f.fs, args)
	if !ok {
		return status
	}
	if len(rest) > 0 {
		return unable(e, words, errors.New("gatectl journal verify --config FILE [--path COPY] [--request FILE] [--json] takes no other words"))
	}
	doc, err := verifyDoc(ctx, e, &f, *request)
	if errors.Is(err, journal.ErrDamaged) {
		fmt.Fprintf(e.Err, "gatectl %s: %v\n", words, err)
		if err := f.printDoc(e.Out, map[string]any{"ok": false, "error": err.Error()}); err != nil {
			return unable(e, words, err)
		}
		return exitNegative
	}
	if err == nil {
		err = f.printDoc(e.Out, doc)
	}
	if err != nil {
		return unable(e, words, err)
	}
	if !sound(doc) {
		return exitNegative
	}
	return exitDone
}

func verifyDoc(ctx context.Context, e env, f *stateFlags, request string) (any, error) {
	s, err := f.find(ctx, journalFile)
	if err != nil {
		return nil, err
	}
	if s.control != nil {
		return s.control.post(ctx, "/v1/journal/verify")
	}
	key, err := s.gateKey(request)
	if err != nil {
		return nil, err
	}
	if len(key) == 0 {
		fmt.Fprintln(e.Err, "gatectl journal verify: the signature is not checked: name the gate with --config FILE, or its request with --request FILE")
	}
	r, err := journal.OpenReadOnly(s.path, key...)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return r.Check(ctx)
}

// gateKey is the key that must have signed the journal: the request's, else
// the configured gate's own, else none.
func (s *state) gateKey(request string) ([]wire.PublicKey, error) {
	switch {
	case request != "":
		b, err := os.ReadFile(request)
		if err != nil {
			return nil, fmt.Errorf("read request: %w", err)
		}
		r, err := vault.ParseRequest(b)
		if err != nil {
			return nil, err
		}
		return []wire.PublicKey{{Kid: r.Kid, Role: wire.RoleGate, Key: ed25519.PublicKey(r.Sign)}}, nil
	case s.cfg == nil:
		return nil, nil
	}
	id, err := s.identity()
	if err != nil {
		return nil, err
	}
	return []wire.PublicKey{id.Signer.Public()}, nil
}

// sound reads the verdict of a report, from this program or from gated.
func sound(doc any) bool {
	if rep, ok := doc.(journal.Report); ok {
		return rep.OK
	}
	var rep struct {
		OK bool `json:"ok"`
	}
	raw, isRaw := doc.(json.RawMessage)
	return isRaw && json.Unmarshal(raw, &rep) == nil && rep.OK
}
