package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// maxHolder bounds a holder's file, bytes.
const maxHolder = 64 << 10

// enrolment is one person's: a photograph and the holder's file that gatectl
// pass issue takes become a template, a pass and an account.
type enrolment struct {
	holder, photo                           string
	level                                   int
	kind                                    string
	out, key, cert, templateKey, passphrase string
	gatectl, models, manifest               string
}

// Enrolled is what hqd enrol prints. It names nobody.
type Enrolled struct {
	Model    string          `json:"model"`
	Template int             `json:"template_bytes"`
	Pass     json.RawMessage `json:"pass,omitempty"` // as gatectl pass issue prints it
	Written  int             `json:"written"`        // accounts; 0: it was so already
}

func cmdEnrol(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "enrol")
	var n enrolment
	s.fs.StringVar(&n.holder, "holder", "", "YAML file with the holder's data, as for gatectl pass issue")
	s.fs.StringVar(&n.photo, "photo", "", "photograph to make the template from")
	s.fs.IntVar(&n.level, "level", 0, "level of the account, 1 or 2")
	s.fs.StringVar(&n.kind, "kind", "citizen", "citizen, foreigner or organisation")
	s.fs.StringVar(&n.out, "out", "", "label of the pass to write, .png or .pdf; without it there is no pass")
	s.fs.StringVar(&n.key, "key", "", "signer's private key, for the pass")
	s.fs.StringVar(&n.cert, "cert", "", "signer's certificate, for the pass")
	s.fs.StringVar(&n.passphrase, "passphrase-file", "", "file with the key's passphrase; asked at the terminal without it")
	s.fs.StringVar(&n.templateKey, "template-key", "", "key file to seal the template into the pass with; without it only the account has it")
	s.fs.StringVar(&n.gatectl, "gatectl", "", "the gatectl program; beside hqd when empty")
	s.fs.StringVar(&n.models, "models", "models", "folder of the model pack")
	s.fs.StringVar(&n.manifest, "manifest", "configs/models.yaml", "model manifest")
	if _, err := s.parse(args); err != nil {
		return err
	}
	err := need(s.fs, "holder", "photo")
	if n.out != "" {
		err = errors.Join(err, need(s.fs, "key", "cert"))
	}
	if n.level != 1 && n.level != 2 {
		err = errors.Join(err, errors.New("--level is 1 or 2"))
	}
	if err != nil {
		return err
	}
	return n.run(ctx, e, s)
}

// run makes the template first, since a bad photograph ends it; then the pass,
// whose maker judges the holder's data whole; and the account last, so that
// none is there without what was to come with it.
func (n enrolment) run(ctx context.Context, e env, s *settings) error {
	who, err := n.read()
	if err != nil {
		return err
	}
	var face struct {
		Model     string `json:"model"`
		Reference []byte `json:"reference_base64"`
	}
	out, err := n.tool(ctx, e, "face", "enrol", "--json", "--models", n.models, "--manifest", n.manifest, "--", n.photo)
	if err == nil {
		err = json.Unmarshal(out, &face)
	}
	if err != nil {
		return fmt.Errorf("make template: %w", err)
	}
	done := Enrolled{Model: face.Model, Template: len(face.Reference)}
	if n.out != "" {
		if done.Pass, err = n.issue(ctx, e); err != nil {
			return fmt.Errorf("make pass: %w", err)
		}
	}
	account := []map[string]any{{
		"id": who.Account, "level": n.level, "kind": n.kind, "organisation": who.Organisation,
		"model": face.Model, "reference": face.Reference,
	}}
	var answer bytes.Buffer
	err = s.client().Do(ctx, http.MethodPost, "/accounts", account, &answer)
	if err == nil {
		var put struct{ Written int }
		err = json.Unmarshal(answer.Bytes(), &put)
		done.Written = put.Written
	}
	if err != nil {
		if n.out != "" {
			err = errors.Join(err, os.Remove(n.out)) // a pass without its account must not be handed out
		}
		return fmt.Errorf("enrol account: %w", err)
	}
	return json.NewEncoder(e.Out).Encode(done)
}

// holderFile is what of the holder's data the account needs; gatectl judges
// the rest.
type holderFile struct {
	Account      string `yaml:"account"`
	Organisation string `yaml:"organisation"`
}

func (n enrolment) read() (h holderFile, err error) {
	f, err := os.Open(n.holder)
	if err != nil {
		return h, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxHolder+1))
	switch {
	case err != nil:
		return h, fmt.Errorf("read holder: %w", err)
	case len(b) > maxHolder:
		return h, fmt.Errorf("read holder: larger than %d bytes", maxHolder)
	case yaml.Unmarshal(b, &h) != nil:
		// The parser's own words would repeat the data.
		return h, errors.New("read holder: not YAML as docs/pass-profile.md shows it")
	case h.Account == "":
		return h, errors.New("read holder: account is missing")
	}
	return h, nil
}

func (n enrolment) issue(ctx context.Context, e env) ([]byte, error) {
	args := []string{"pass", "issue", "--holder", n.holder, "--key", n.key, "--cert", n.cert, "--out", n.out}
	if n.passphrase != "" {
		args = append(args, "--passphrase-file", n.passphrase)
	}
	if n.templateKey != "" {
		args = append(args, "--template-key", n.templateKey, "--photo", n.photo, "--models", n.models, "--manifest", n.manifest)
	}
	return n.tool(ctx, e, args...)
}

// tool runs gatectl, which has the models and the issuing office's keys.
func (n enrolment) tool(ctx context.Context, e env, args ...string) ([]byte, error) {
	program := n.gatectl
	if program == "" {
		program = "gatectl"
		if self, err := os.Executable(); err == nil {
			if beside := filepath.Join(filepath.Dir(self), program); exists(beside) {
				program = beside
			}
		}
	}
	cmd := exec.CommandContext(ctx, program, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &out, e.Err
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.ExitCode() == exitNegative:
		return nil, errNegative // gatectl has said why, and what to do
	case errors.As(err, &exit):
		return nil, errors.New("gatectl ended with " + strconv.Itoa(exit.ExitCode()) + ", and has said above why")
	case err != nil:
		return nil, fmt.Errorf("run gatectl: %w: build it (make build), or name it with --gatectl", err)
	}
	return bytes.TrimSpace(out.Bytes()), nil
}

func exists(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}
