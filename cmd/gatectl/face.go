package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"time"

	"bordergate/biometrics"
	"bordergate/biometrics/recogniser"
	"bordergate/configs"
)

func faceCommands() []command {
	return []command{
		{"face verify", "compare the faces of two pictures", faceVerify},
		{"face enrol", "make a reference from one or more pictures of a person", faceEnrol},
		{"face liveness", "tell live faces from pictures of pictures", faceLiveness},
		{"face calibrate", "set the liveness threshold of one camera on live users", faceCalibrate},
		{"face evaluate", "measure error rates over a list of pairs", faceEvaluate},
	}
}

// faceFlags are the flags every face command has.
type faceFlags struct {
	tool visionTool
	fmr  float64
	json bool
}

func (f *faceFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.tool.program, "gatevision", "", "the gatevision program; beside gatectl when empty")
	fs.StringVar(&f.tool.models, "models", "models", "folder of the model pack")
	fs.StringVar(&f.tool.manifest, "manifest", "configs/models.yaml", "model manifest")
	fs.Float64Var(&f.fmr, "fmr", 1e-4, "wanted false match rate")
	fs.BoolVar(&f.json, "json", false, "print JSON")
}

// open reads the manifest and returns its recogniser.
func (f *faceFlags) open() (*biometrics.Recogniser, error) {
	man, err := configs.LoadModels(f.tool.manifest)
	if err != nil {
		return nil, err
	}
	return recogniser.Open(man, f.tool.models)
}

// judgement is a liveness verdict on one picture.
type judgement struct {
	Score   *float64            `json:"live_score"`
	Verdict biometrics.Liveness `json:"verdict"`
}

// judgeLive gives the verdict on one picture alone.
func judgeLive(p *visionPicture) judgement {
	rule := biometrics.DefaultLivenessRule()
	rule.MinFrames = 1
	var s biometrics.LivenessSession
	if score, ok := p.live(); !ok || !s.Add(score) {
		return judgement{Verdict: biometrics.LivenessUndecided}
	}
	z := s.Median()
	return judgement{Score: &z, Verdict: s.Verdict(rule, true)}
}

// verification is what "face verify" prints.
type verification struct {
	Score     *float64               `json:"score"`
	Threshold float64                `json:"threshold"`
	Match     bool                   `json:"match"`
	Verdict   string                 `json:"verdict"`
	Faces     [2]int                 `json:"faces"`
	Quality   [2]*biometrics.Quality `json:"quality"`
	Liveness  [2]judgement           `json:"liveness"`
	Millis    map[string]float64     `json:"millis"`
}

func faceVerify(ctx context.Context, e env, args []string) int {
	const words = "face verify"
	fs := newFlags(e, words)
	var ff faceFlags
	ff.register(fs)
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) != 2 {
		return unable(e, words, errors.New("two pictures are compared: give two files"))
	}
	start := time.Now()
	model, err := ff.open()
	if err != nil {
		return unable(e, words, err)
	}
	accept, ok := model.Limits.At(ff.fmr, 1)
	if !ok {
		return unable(e, words, fmt.Errorf("the manifest has no threshold for a false match rate of %g", ff.fmr))
	}
	pics, err := ff.tool.images(ctx, files)
	if err != nil {
		return unable(e, words, err)
	}
	v := verification{Threshold: accept, Millis: map[string]float64{}}
	for i, p := range pics {
		v.Faces[i] = p.Found
		v.Liveness[i] = judgeLive(&p)
		if f := p.main(); f != nil {
			v.Quality[i] = &f.Quality
		}
		for k, ms := range p.Millis {
			v.Millis[k] += ms
		}
	}
	verdict, err := v.compare(pics, model, ff.fmr)
	if err != nil {
		return unable(e, words, err)
	}
	v.Verdict, v.Match = verdict.String(), verdict == biometrics.MatchAccept || verdict == biometrics.MatchTooGood
	v.Millis["total"] = float64(time.Since(start).Microseconds()) / 1000
	return printResult(e, words, v, v.Match)
}

// compare scores the second face against a reference of the first, as a gate does.
func (v *verification) compare(pics []visionPicture, model *biometrics.Recogniser, fmr float64) (biometrics.Match, error) {
	a, b := pics[0].main(), pics[1].main()
	if a == nil || b == nil {
		return biometrics.MatchNone, nil
	}
	ref, err := model.Enrol(a.raw)
	if err != nil {
		return biometrics.MatchNone, err
	}
	s, err := model.Score(b.raw, ref)
	if err != nil {
		return biometrics.MatchNone, err
	}
	v.Score = &s
	return model.Limits.Judge(s, fmr, 1), nil
}

// enrolment is what "face enrol" prints. There is a reference only when every picture is accepted; Hints and Advice are in the
// pictures' order.
type enrolment struct {
	Model     string               `json:"model"`
	Reference []byte               `json:"reference_base64"`
	Norm      float64              `json:"norm"`
	Accepted  bool                 `json:"accepted"`
	Hints     []biometrics.Refusal `json:"hints"`
	Advice    []string             `json:"advice"`
	Quality   []biometrics.Quality `json:"quality"`
}

func faceEnrol(ctx context.Context, e env, args []string) int {
	const words = "face enrol"
	fs := newFlags(e, words)
	var ff faceFlags
	ff.register(fs)
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) == 0 {
		return unable(e, words, errors.New("no picture given"))
	}
	model, err := ff.open()
	if err != nil {
		return unable(e, words, err)
	}
	pics, err := ff.tool.images(ctx, files)
	if err != nil {
		return unable(e, words, err)
	}
	out := enrolment{Model: model.ID, Accepted: true}
	list := make([]biometrics.Portrait, len(pics))
	for i, p := range pics {
		list[i].Quality = p.quality()
		if f := p.main(); f != nil {
			list[i].Raw = f.raw
		}
		out.Quality, out.Norm = append(out.Quality, list[i].Quality), max(out.Norm, list[i].Quality.Norm)
	}
	ref, refused, err := model.EnrolPortraits(list...)
	for i, r := range refused {
		out.Hints, out.Advice = append(out.Hints, r), append(out.Advice, r.Advice())
		if r != biometrics.RefusedNot {
			out.Accepted = false
			fmt.Fprintf(e.Err, "gatectl face enrol: %s: %s\n", files[i], r.Advice())
		}
	}
	if err != nil && !errors.Is(err, biometrics.ErrPortrait) {
		return unable(e, words, err)
	}
	out.Reference = ref.Bytes()
	return printResult(e, words, out, out.Accepted)
}

// livenessLine is what "face liveness" prints for a picture.
type livenessLine struct {
	File string `json:"file"`
	judgement
	Millis float64 `json:"millis"`
}

func faceLiveness(ctx context.Context, e env, args []string) int {
	const words = "face liveness"
	fs := newFlags(e, words)
	var ff faceFlags
	ff.register(fs)
	files, status, ok := parseFlags(fs, args)
	if !ok {
		return status
	}
	if len(files) == 0 {
		return unable(e, words, errors.New("no picture given"))
	}
	pics, err := ff.tool.images(ctx, files)
	if err != nil {
		return unable(e, words, err)
	}
	code := exitDone
	for _, p := range pics {
		line := livenessLine{File: p.File, judgement: judgeLive(&p)}
		for _, ms := range p.Millis {
			line.Millis += ms
		}
		if line.Verdict != biometrics.LivenessLive {
			code = exitNegative
		}
		if c := printResult(e, words, line, true); c != exitDone {
			return c
		}
	}
	return code
}

// printResult prints one JSON document on one line.
func printResult(e env, words string, v any, positive bool) int {
	if err := json.NewEncoder(e.Out).Encode(v); err != nil {
		return unable(e, words, err)
	}
	if !positive {
		return exitNegative
	}
	return exitDone
}
