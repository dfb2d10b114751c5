package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"bordergate/cmd/hqd/app"
	"bordergate/cmd/hqd/console"
)

// cmdConsoleUser adds, changes or removes an account of the console. A password is
// read from standard input, since a flag would show in the list of processes.
func cmdConsoleUser(do string) func(context.Context, env, []string) error {
	return func(ctx context.Context, e env, args []string) error {
		s := newFlags(e, "console user "+do)
		o := app.UserOrder{Do: do}
		s.fs.StringVar(&o.By, "by", "", "name of who orders it; in the console's log")
		s.fs.StringVar(&o.Name, "name", "", "name to sign in with, a-z, 0-9, '.' and '-'")
		generate, secret := false, false
		if do != "remove" {
			s.fs.StringVar(&o.Person, "person", "", "the person's name as colleagues call him")
			s.fs.StringVar((*string)(&o.Role), "role", "", fmt.Sprintf("one of %v", console.Roles()))
			s.fs.StringVar(&o.Officer, "officer", "", "his id on the list of hqd officer list, to sign acts")
			s.fs.BoolVar(&generate, "generate", false, "make a password and print it once")
			s.fs.BoolVar(&secret, "password", do != "set", "read a password of one line from standard input")
		}
		names := []string{"by", "name"}
		if do == "add" {
			names = append(names, "person", "role")
		}
		if err := s.demand(args, names...); err != nil {
			return err
		}
		var err error
		switch {
		case generate:
			o.Password = freshPassword()
		case secret:
			o.Password, err = readPassword(os.Stdin)
		}
		if err != nil {
			return err
		}
		var answer bytes.Buffer
		done := userDone{Name: o.Name}
		if err := s.client().Do(ctx, http.MethodPost, "/console/users", o, &answer); err != nil {
			return err
		}
		if err := json.Unmarshal(answer.Bytes(), &done.Accounts); err != nil {
			return err
		}
		if generate {
			done.Password = o.Password
		}
		return json.NewEncoder(e.Out).Encode(done)
	}
}

// userDone is what is printed: the accounts that there are now, and a password
// that was made, this once.
type userDone struct {
	Name     string            `json:"name"`
	Password string            `json:"password,omitempty"`
	Accounts []console.Account `json:"accounts"`
}

// freshPassword has 120 bits and no sign that is hard to type.
func freshPassword() string {
	b := make([]byte, 15)
	_, _ = rand.Read(b) // crypto/rand never fails
	return base64.RawURLEncoding.EncodeToString(b)
}

func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, 1<<10)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read password: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("read password: none on standard input; or use --generate")
	}
	return line, nil
}

func cmdConsoleUserList(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "console user list")
	if _, err := s.parse(args); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodGet, "/console/users", nil)
}

func cmdConsoleLog(ctx context.Context, e env, args []string) error {
	s := newFlags(e, "console log")
	if _, err := s.parse(args); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodGet, "/console/log", nil)
}
