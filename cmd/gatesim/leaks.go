package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"bordergate/cmd/gatesim/issue"
	"bordergate/cmd/gatesim/report"
)

// maxRead bounds what is looked through of one file.
const maxRead = 256 << 20

// secret is something of a traveller that no log and no bundle may hold.
type secret struct {
	what string // names the kind, never the thing
	text []byte
}

// secrets are those of all travellers: names, numbers, accounts and templates
// in every writing, and what every picture begins with.
func (x *production) secrets() []secret {
	out := []secret{
		{"a JPEG picture", []byte{0xff, 0xd8, 0xff, 0xe0}},
		{"a JPEG picture", []byte{0xff, 0xd8, 0xff, 0xdb}},
		{"a PNG picture", []byte("\x89PNG\r\n")},
		{"a JPEG picture in base64", []byte("/9j/")},
		{"a PNG picture in base64", []byte("iVBORw0KGgo")},
	}
	for _, name := range issue.Names() {
		out = append(out, secret{"a holder's name", []byte(name)})
	}
	for _, r := range x.roles {
		out = append(out, secret{"an account", []byte(r.account)}, secret{"a pass number", []byte(r.number)})
		// The first bytes are the length and model; the middle is the person's.
		if ref := r.holder.Reference; len(ref) >= 48 {
			part := ref[24:42]
			out = append(out, secret{"a face template", part}, secret{"a face template in hexadecimal", []byte(hex.EncodeToString(part))},
				secret{"a face template in base64", []byte(base64.StdEncoding.EncodeToString(part))})
		}
	}
	return out
}

// leaks looks through every log of the run and the gate's own support bundle.
func (x *production) leaks(ctx context.Context, r *report.Report) error {
	bundle := filepath.Join(x.o.out, "support.tar.gz")
	if err := x.station.SupportBundle(ctx, bundle); err != nil {
		return err
	}
	files := map[string][]byte{}
	err := bundled(bundle, files)
	for _, name := range []string{"gated.log", "hqd.log"} {
		b, err2 := os.ReadFile(filepath.Join(x.o.out, name))
		err = errors.Join(err, err2)
		files[name] = b
	}
	if err != nil {
		return fmt.Errorf("look for personal data: %w", err)
	}
	r.Searched.Files, r.Searched.Secrets = len(files), len(x.secrets())
	r.Faults = append(r.Faults, found(files, x.secrets())...)
	return nil
}

// found names each file that holds a secret, and the kind of it.
func found(files map[string][]byte, secrets []secret) (faults []string) {
	for name, b := range files {
		for _, s := range secrets {
			if text := fmt.Sprintf("%s holds %s of a traveller", name, s.what); bytes.Contains(b, s.text) && !slices.Contains(faults, text) {
				faults = append(faults, text)
			}
		}
	}
	slices.Sort(faults)
	return faults
}

// bundled adds what is packed in a bundle, by its names there.
func bundled(path string, files map[string][]byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		b, err := io.ReadAll(io.LimitReader(t, maxRead))
		if err != nil {
			return err
		}
		files[filepath.Base(path)+"/"+h.Name] = b
	}
}
