//go:build !wasip1

package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"orrery"
	"orrery/cmd/internal/api"
)

// definition is a job as a file says it, and where.
type definition struct {
	job   api.Job
	where string // file:line
}

// maxDefinitions bounds what is read of one file: a hundred thousand jobs.
const maxDefinitions = 256 << 20

// readDefinitions reads jobs from files, from all files of folders, and from stdin, which
// is called "-". A file is YAML or JSON; each of its documents is a job, a list of jobs, or
// a map whose jobs are one. No two may have one name.
func readDefinitions(stdin io.Reader, paths []string) ([]definition, error) {
	if len(paths) == 0 {
		return nil, usagef("--file: missing: expected a file or folder of definitions, or - for stdin")
	}
	var all []definition
	for _, path := range paths {
		files, err := filesOf(path)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			text, err := readAll(stdin, file)
			if err != nil {
				return nil, err
			}
			found, err := parseDefinitions(file, text)
			if err != nil {
				return nil, err
			}
			all = append(all, found...)
		}
	}
	seen := map[string]string{}
	for _, d := range all {
		if before, ok := seen[d.job.Name]; ok {
			return nil, orrery.Invalidf("%s: job %q is defined in %s already", d.where, d.job.Name, before)
		}
		seen[d.job.Name] = d.where
	}
	return all, nil
}

// filesOf lists the file, or those of a folder and all below it.
func filesOf(path string) (files []string, err error) {
	if path == "-" {
		return []string{path}, nil
	}
	err = filepath.WalkDir(path, func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file == path && !entry.IsDir():
			files = append(files, file)
		case entry.IsDir() && file != path && strings.HasPrefix(entry.Name(), "."):
			return filepath.SkipDir
		case !entry.IsDir() && slices.Contains([]string{".yml", ".yaml", ".json"}, filepath.Ext(file)):
			files = append(files, file)
		}
		return nil
	})
	if err == nil && len(files) == 0 {
		err = fmt.Errorf("%s: holds no .yml, .yaml or .json", path)
	}
	return files, err
}

func readAll(stdin io.Reader, path string) ([]byte, error) {
	from := stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = f
	}
	text, err := io.ReadAll(io.LimitReader(from, maxDefinitions+1))
	if err == nil && len(text) > maxDefinitions {
		err = orrery.Invalidf("%s: longer than %d bytes", path, maxDefinitions)
	}
	return text, err
}

func parseDefinitions(path string, text []byte) (all []definition, err error) {
	if path == "-" {
		path = "stdin"
	}
	if filepath.Ext(path) == ".json" { // YAML would take more than JSON
		if _, err := api.Decode(text, new(any)); err != nil {
			return nil, orrery.Invalidf("%s: %v", path, err)
		}
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, misread(path, err)
	}
	for _, doc := range file.Docs {
		nodes, err := jobNodes(path, doc.Body)
		if err != nil {
			return nil, err
		}
		for _, node := range nodes {
			d, err := define(path, node)
			if err != nil {
				return nil, err
			}
			all = append(all, d)
		}
	}
	return all, nil
}

// define reads one job. In YAML a number or a bool may stand where a text is wanted.
func define(path string, node ast.Node) (d definition, err error) {
	fields, ok := node.(*ast.MappingNode)
	if !ok || len(fields.Values) == 0 {
		return d, orrery.Invalidf("%s: expected a job: a map of its fields", place(path, node.GetToken()))
	}
	d.where = fmt.Sprintf("%s:%d", path, fields.Values[0].Key.GetToken().Position.Line)
	read := func(n *ast.MappingNode, into *api.Job) error {
		return yaml.NodeToValue(n, into, yaml.Strict(), yaml.UseJSONUnmarshaler())
	}
	if err = read(fields, &d.job); err == nil {
		return d, nil
	}
	for _, pair := range fields.Values { // find the field that it is about
		one := *fields
		one.Values = []*ast.MappingValueNode{pair}
		if err := read(&one, new(api.Job)); err != nil {
			key := pair.Key.GetToken()
			var unknown *yaml.UnknownFieldError
			if errors.As(err, &unknown) {
				return d, orrery.Invalidf("%s: %s", place(path, unknown.Token), unknown.Message)
			}
			return d, orrery.Invalidf("%s: %s: %v", place(path, pair.Value.GetToken()), key.Value, reason(err))
		}
	}
	return d, misread(path, err)
}

// reason says of an error what was found and what was expected, without its place.
func reason(err error) any {
	var kind *yaml.TypeError
	if errors.As(err, &kind) {
		return fmt.Sprintf("found a %s: expected a %s", kind.SrcType, kind.DstType)
	}
	if e, ok := err.(yaml.Error); ok {
		return e.GetMessage()
	}
	return err
}

// jobNodes finds the jobs of one document.
func jobNodes(path string, body ast.Node) ([]ast.Node, error) {
	switch body := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil, nil
	case *ast.SequenceNode:
		return body.Values, nil
	case *ast.MappingNode:
		if len(body.Values) == 1 && body.Values[0].Key.GetToken().Value == "jobs" {
			return jobNodes(path, body.Values[0].Value)
		}
		return []ast.Node{body}, nil
	}
	return nil, orrery.Invalidf("%s: expected a job, or a list of jobs", place(path, body.GetToken()))
}

// misread places an error of the YAML library.
func misread(path string, err error) error {
	if e, ok := err.(yaml.Error); ok && e.GetToken() != nil {
		return orrery.Invalidf("%s: %s", place(path, e.GetToken()), e.GetMessage())
	}
	return orrery.Invalidf("%s: %v", path, err)
}

func place(path string, t *token.Token) string {
	return fmt.Sprintf("%s:%d:%d", path, t.Position.Line, t.Position.Column)
}

// declaration is what the definitions ask the cluster to be.
func declaration(all []definition, prune bool) api.Declaration {
	d := api.Declaration{Jobs: []api.Job{}, Prune: prune}
	for _, definition := range all {
		d.Jobs = append(d.Jobs, definition.job)
	}
	return d
}

// validate says what can never work about any of them, all at once.
func validate(all []definition, cfg orrery.ClusterConfig) ([]orrery.Job, error) {
	var jobs []orrery.Job
	var problems []string
	for _, d := range all {
		job, err := d.job.Words(cfg)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: job %q: %v", d.where, cmp.Or(d.job.Name, "?"), err))
		}
		jobs = append(jobs, job)
	}
	if problems != nil {
		return nil, orrery.Invalidf("%s", strings.Join(problems, "\n"))
	}
	return jobs, nil
}
