package main

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"bordergate/barcode/seal"
)

func trustCommands() []command {
	return []command{
		{"seal trust list", "what a trust folder holds, or what a gate believes, and how each stands: --dir DIR | --config FILE [--json]", trustList},
		{"seal trust add", "add certificates and revocation lists: --dir DIR [--fingerprint SHA256] FILE...", trustAdd},
		{"seal trust check", "what of it is not in order: --dir DIR | --config FILE [--soon 720h] [--json]", trustCheck},
	}
}

// trustEntry is a seal.Entry as printed.
type trustEntry struct {
	seal.Shown
	Age string `json:"age,omitempty"` // of a list
}

func showEntry(e seal.Entry, at time.Time) trustEntry {
	t := trustEntry{Shown: e.Show()}
	if e.Kind == seal.KindList {
		t.Age = showAge(at.Sub(e.NotBefore))
	}
	return t
}

// showAge writes a length of time as people say it.
func showAge(d time.Duration) string {
	if d >= 48*time.Hour {
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return d.Round(time.Minute).String()
}

func (t trustEntry) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(t)
	}
	age := ""
	if t.Age != "" {
		age = " (" + t.Age + " old)"
	}
	_, err := fmt.Fprintf(w, "%-9s %-21s %s %s to %s%s %s %s %s\n",
		t.Kind, t.Code, t.Signer+t.CertRef, t.NotBefore, t.NotAfter, age, t.File, t.Subject, t.Reason)
	return err
}

// newTrustFlags makes the flags of the three commands.
func newTrustFlags(e env, words string) (trustFlags, func([]string) ([]string, int, bool), func() error) {
	fs := newFlags(e, words)
	f := trustFlags{
		dir:    fs.String("dir", "", "the trust folder"),
		config: fs.String("config", "", "list, check: the gate's configuration file, for what the gate believes"),
		at:     fs.String("at", "", "time to judge at, RFC 3339 (default now)"),
		pin:    fs.Bool("pin", false, "trust each certificate as a signer itself"),
		p224:   fs.Bool("allow-p224", false, "admit the curve brainpoolP224r1"),
		json:   fs.Bool("json", false, "print JSON, a line for each"),
	}
	f.listFlags(fs)
	f.soon = fs.Duration("soon", 0, "check: report also what ends within this time")
	f.fingerprint = fs.String("fingerprint", "", "add: SHA-256 of a certificate that nothing in the folder vouches for")
	named := func() error {
		switch {
		case *f.dir != "" && *f.config != "":
			return errors.New("name either --dir or --config, not both")
		case *f.dir == "" && *f.config == "":
			return errors.New("--dir names no folder")
		}
		return nil
	}
	return f, func(args []string) ([]string, int, bool) { return parseFlags(fs, args) }, named
}

func trustList(ctx context.Context, e env, args []string) int {
	const words = "seal trust list"
	f, parse, named := newTrustFlags(e, words)
	rest, status, ok := parse(args)
	if !ok {
		return status
	}
	if err := errors.Join(named(), nothingMore(rest)); err != nil {
		return unable(e, words, err)
	}
	j, err := f.source(ctx, e)
	if err != nil {
		return unable(e, words, err)
	}
	for _, entry := range j.trust.Entries(j.at) {
		if err := showEntry(entry, j.at).print(e.Out, *f.json); err != nil {
			return unable(e, words, err)
		}
	}
	return exitDone
}

func nothingMore(rest []string) error {
	if len(rest) > 0 {
		return fmt.Errorf("%q is one argument too many", rest[0])
	}
	return nil
}

// trustCheck prints what is not in order, and then the sum.
func trustCheck(ctx context.Context, e env, args []string) int {
	const words = "seal trust check"
	f, parse, named := newTrustFlags(e, words)
	rest, status, ok := parse(args)
	if !ok {
		return status
	}
	if err := errors.Join(named(), nothingMore(rest)); err != nil {
		return unable(e, words, err)
	}
	j, err := f.source(ctx, e) // says on e.Err which files are left out
	if err != nil {
		return unable(e, words, err)
	}
	sum := trustSum{Kinds: map[seal.Kind]int{}, LeftOut: j.trust.Warnings()}
	if j.fault {
		sum.Faults++
	}
	for _, entry := range j.trust.Entries(j.at) {
		shown := showEntry(entry, j.at)
		sum.Kinds[entry.Kind]++
		switch end := entry.NotAfter; {
		case entry.Code != seal.Valid:
			sum.Faults++
		case *f.soon > 0 && !end.IsZero() && end.Before(j.at.Add(*f.soon)):
			sum.Soon++
			shown.Reason = "ends soon"
		default:
			continue
		}
		if err := shown.print(e.Out, *f.json); err != nil {
			return unable(e, words, err)
		}
	}
	sum.OK = sum.Faults == 0 && sum.Soon == 0 && len(sum.LeftOut) == 0 && sum.Kinds[seal.KindSigner] > 0
	if err := sum.print(e.Out, *f.json); err != nil {
		return unable(e, words, err)
	}
	if !sum.OK {
		return exitNegative
	}
	return exitDone
}

// trustSum ends the output of the check.
type trustSum struct {
	OK      bool              `json:"ok"`
	Kinds   map[seal.Kind]int `json:"kinds"`
	Faults  int               `json:"faults"`
	Soon    int               `json:"soon"`
	LeftOut []string          `json:"left_out"`
}

func (s trustSum) print(w io.Writer, asJSON bool) error {
	if asJSON {
		s.LeftOut = append([]string{}, s.LeftOut...)
		return json.NewEncoder(w).Encode(s)
	}
	_, err := fmt.Fprintf(w, "%d roots, %d authorities, %d signers, %d lists; %d faults, %d end soon, %d left out\n",
		s.Kinds[seal.KindRoot], s.Kinds[seal.KindAuthority], s.Kinds[seal.KindSigner], s.Kinds[seal.KindList],
		s.Faults, s.Soon, len(s.LeftOut))
	return err
}

// trustAdded tells what became of one file.
type trustAdded struct {
	File    string       `json:"file"`
	Added   bool         `json:"added"`
	Reason  string       `json:"reason,omitempty"`
	Entries []trustEntry `json:"entries"`
}

// trustAdd puts a file's certificates and lists into the folder, all or none,
// after they have been held to what is there. A running gate reads the folder
// when it starts.
func trustAdd(_ context.Context, e env, args []string) int {
	const words = "seal trust add"
	f, parse, named := newTrustFlags(e, words)
	files, status, ok := parse(args)
	if !ok {
		return status
	}
	if err := named(); err != nil {
		return unable(e, words, err)
	}
	if *f.config != "" {
		return unable(e, words, errors.New("what headquarters sends is changed there, with hqd trust; name the folder with --dir"))
	}
	if len(files) == 0 {
		return unable(e, words, errors.New("name the files to add"))
	}
	status = exitDone
	for _, file := range files {
		added, err := f.add(file)
		if err != nil {
			return unable(e, words, err)
		}
		if !added.Added {
			status = exitNegative
		}
		if err := added.print(e.Out, *f.json); err != nil {
			return unable(e, words, err)
		}
	}
	return status
}

func (a trustAdded) print(w io.Writer, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(a)
	}
	what := "not added: " + a.Reason
	if a.Added {
		what = "added"
	}
	if _, err := fmt.Fprintf(w, "%s %s\n", a.File, what); err != nil {
		return err
	}
	for _, entry := range a.Entries {
		if _, err := fmt.Fprintf(w, "  SHA-256 %s\n  ", grouped(entry.Fingerprint)); err != nil {
			return err
		}
		if err := entry.print(w, false); err != nil {
			return err
		}
	}
	return nil
}

// grouped writes a fingerprint in groups of four, to be compared by eye.
func grouped(fingerprint string) string {
	var groups []string
	for part := range slices.Chunk([]byte(fingerprint), 4) {
		groups = append(groups, string(part))
	}
	return strings.Join(groups, " ")
}

// add judges one file in the company of the folder's, and writes it.
func (f trustFlags) add(file string) (trustAdded, error) {
	data, err := readFile(file, seal.MaxTrustFile)
	if err != nil {
		return trustAdded{}, err
	}
	const name = "/new" // no file of a folder has a slash in its name
	trust, at, err := f.load(env{Out: io.Discard, Err: io.Discard}, seal.TrustFile{Name: name, Data: data})
	if err != nil {
		return trustAdded{}, err
	}
	a := trustAdded{File: file, Entries: []trustEntry{}}
	for _, w := range trust.Warnings() {
		if why, ok := strings.CutPrefix(w, name+" left out: "); ok {
			a.Reason = why
			return a, nil
		}
	}
	entries := slices.DeleteFunc(trust.Entries(at), func(e seal.Entry) bool { return e.File != name })
	for i, entry := range entries {
		entries[i].File = fileName(entry)
		a.Entries = append(a.Entries, showEntry(entries[i], at))
		if why := f.refusal(entry); why != "" && a.Reason == "" {
			a.Reason = why
		}
	}
	if len(entries) == 0 {
		a.Reason = "nothing new in it: what it holds is there already, or is older"
	}
	if a.Reason != "" {
		return a, nil
	}
	for _, entry := range entries {
		if err := writeTrust(*f.dir, entry.File, entry.DER); err != nil {
			return a, err
		}
	}
	a.Added = true
	return a, nil
}

// refusal says why an entry may not be added.
func (f trustFlags) refusal(e seal.Entry) string {
	switch {
	case e.Code != seal.Valid:
		return fmt.Sprintf("%s: %v", e.Code, e.Err)
	case e.Anchor && !sameFingerprint(*f.fingerprint, e.Fingerprint[:]):
		return "nothing in the folder vouches for it: compare its fingerprint with its issuer's and name it with --fingerprint"
	}
	return ""
}

// sameFingerprint reads the groups that people write.
func sameFingerprint(text string, fingerprint []byte) bool {
	text = strings.ToLower(strings.NewReplacer(" ", "", ":", "", "-", "").Replace(text))
	return text == hex.EncodeToString(fingerprint)
}

// fileName is the same for the same certificate or list. Older lists stay
// beside a new one and do no harm: the newest is used.
func fileName(e seal.Entry) string {
	ending := ".der"
	if e.Kind == seal.KindList {
		ending = ".crl"
	}
	return string(e.Kind) + "-" + hex.EncodeToString(e.Fingerprint[:8]) + ending
}

// writeTrust writes a file that is whole or not there, even if the power fails.
func writeTrust(dir, name string, b []byte) (err error) {
	f, err := os.CreateTemp(dir, ".add-*") // names with a dot are not read
	if err != nil {
		return fmt.Errorf("add to trust folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("add to trust folder: %w", err)
			_ = os.Remove(f.Name())
		}
	}()
	_, errWrite := f.Write(b)
	if err := errors.Join(errWrite, f.Chmod(0o644), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
