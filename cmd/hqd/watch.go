package main

import (
	"context"
	"errors"
	"net/http"
	"os"

	"bordergate/cmd/hqd/app"
)

func cmdWatchAdd(ctx context.Context, e env, args []string) error {
	return watchList(ctx, e, args, "watch add", false)
}

func cmdWatchRemove(ctx context.Context, e env, args []string) error {
	return watchList(ctx, e, args, "watch remove", true)
}

// watchList puts one entry, or a file of them, on the list or takes it off.
func watchList(ctx context.Context, e env, args []string, name string, off bool) error {
	s := newFlags(e, name)
	one := app.WatchEntry{Off: off}
	s.fs.StringVar(&one.Account, "account", "", "account id, a person's or an organisation's")
	s.fs.StringVar(&one.Pass, "pass", "", "number of a pass")
	s.fs.StringVar(&one.Name, "name", "", "a person's name as on the pass, such as NGUYEN<<VAN<A")
	s.fs.StringVar(&one.Birth, "birth", "", "with --name: date of birth, YYYY-MM-DD")
	s.fs.StringVar(&one.By, "by", "", "name of who orders it; kept at headquarters only")
	file := s.fs.String("file", "", "JSON list of entries instead: [{account|pass|name, birth, by, off}]")
	if _, err := s.parse(args); err != nil {
		return err
	}
	named := one.Account != "" || one.Pass != "" || one.Name != "" || one.Birth != ""
	switch {
	case *file != "" && (named || one.By != ""):
		return errors.New("want either --file or one entry, not both")
	case *file != "":
		b, err := os.ReadFile(*file)
		if err != nil {
			return err
		}
		return ask(ctx, e, s, http.MethodPost, "/watch", b)
	case !named:
		return errors.New("name one entry: --account, --pass or --name with --birth; or --file")
	}
	if err := need(s.fs, "by"); err != nil {
		return err
	}
	return ask(ctx, e, s, http.MethodPost, "/watch", []app.WatchEntry{one})
}
