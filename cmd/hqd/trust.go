package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"bordergate/barcode/seal"
	"bordergate/cmd/hqd/app"
)

// trustFlags are what the commands that publish have in common: who, and the
// policy, of which nothing that is not named changes.
type trustFlags struct {
	*settings
	order app.TrustOrder
	lists *string
	age   *time.Duration
	p224  *bool
}

func newTrustFlags(e env, name string) *trustFlags {
	f := &trustFlags{settings: newFlags(e, name)}
	f.fs.StringVar(&f.order.By, "by", "", "name of who publishes; kept at headquarters only")
	f.lists = f.fs.String("lists", "", "what an old or missing revocation list means: off, when-present or required")
	f.age = f.fs.Duration("list-age", 0, "how long a revocation list is in its time; 0: until its own next update")
	f.p224 = f.fs.Bool("allow-p224", false, "admit the curve brainpoolP224r1")
	f.fs.Func("fingerprint", "SHA-256 of a root or self-signed signer that was compared by eye; may be given again", func(s string) error {
		f.order.Compared = append(f.order.Compared, s)
		return nil
	})
	return f
}

// parse reads the flags and fills the order's policy.
func (f *trustFlags) parse(args []string) ([]string, error) {
	rest, err := f.settings.parse(args)
	if err != nil {
		return nil, err
	}
	f.fs.Visit(func(g *flag.Flag) {
		switch g.Name {
		case "lists":
			f.order.Lists = f.lists
		case "list-age":
			seconds := int64(*f.age / time.Second)
			f.order.ListAge = &seconds
		case "allow-p224":
			f.order.AllowP224 = f.p224
		}
	})
	return rest, need(f.fs, "by")
}

func (f *trustFlags) send(ctx context.Context, e env) error {
	return ask(ctx, e, f.settings, http.MethodPost, "/trust", f.order)
}

func cmdTrustList(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "trust list")
	if _, err := s.parse(args); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodGet, "/trust", nil)
}

func cmdTrustAdd(ctx context.Context, e env, args []string) error {
	f := newTrustFlags(e, "trust add")
	files, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return errors.New("name the files to add")
	}
	for _, name := range files {
		b, err := readTrustFile(name)
		if err != nil {
			return err
		}
		f.order.Add = append(f.order.Add, app.TrustFile{Name: filepath.Base(name), Data: b})
	}
	return f.send(ctx, e)
}

func cmdTrustRemove(ctx context.Context, e env, args []string) error {
	f := newTrustFlags(e, "trust remove")
	prints, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(prints) == 0 {
		return errors.New("name what to remove by its SHA-256, as hqd trust list shows it")
	}
	f.order.Remove = prints
	return f.send(ctx, e)
}

// cmdTrustPublish without a folder sends again what is published, whole: for a
// new policy, or for gates that say their store is not whole.
func cmdTrustPublish(ctx context.Context, e env, args []string) error {
	f := newTrustFlags(e, "trust publish")
	dir := f.fs.String("dir", "", "folder whose certificates and lists become the whole store")
	rest, err := f.parse(args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return fmt.Errorf("%q is one argument too many", rest[0])
	}
	f.order.Again = true
	if *dir == "" {
		return f.send(ctx, e)
	}
	entries, err := os.ReadDir(*dir)
	if err != nil {
		return err
	}
	f.order.Replace = true
	for _, entry := range entries {
		if entry.IsDir() || strings.HasPrefix(entry.Name(), ".") {
			continue
		}
		b, err := readTrustFile(filepath.Join(*dir, entry.Name()))
		if err != nil {
			return err
		}
		f.order.Add = append(f.order.Add, app.TrustFile{Name: entry.Name(), Data: b})
	}
	return f.send(ctx, e)
}

func readTrustFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, seal.MaxTrustFile+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	if len(b) > seal.MaxTrustFile {
		return nil, fmt.Errorf("read %s: larger than %d bytes", name, seal.MaxTrustFile)
	}
	return b, nil
}
