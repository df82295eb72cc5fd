package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// folders are where files are looked for, the first that has one.
var folders = []string{"/etc/orrery", "$HOME/.orrery", "./config"}

// dkronFolders are where a file of Dkron's is looked for, when there is none of ours.
var dkronFolders = []string{"/etc/dkron", "$HOME/.dkron", "/etc/orrery", "$HOME/.orrery", "./config"}

// findFile returns the file that holds, and those that it hides.
func (s Source) findFile() (path string, hidden []string) {
	var found []string
	look := func(folders []string, names ...string) {
		for _, folder := range folders {
			for _, name := range names {
				path := filepath.Join(os.Expand(folder, s.lookup), name)
				if info, err := os.Stat(path); err == nil && !info.IsDir() {
					found = append(found, path)
				}
			}
		}
	}
	look(s.folders(folders), "orrery.yml", "orrery.yaml", "orrery.json")
	if len(found) == 0 {
		look(s.folders(dkronFolders), "dkron.yml", "dkron.yaml", "dkron.json")
	}
	if len(found) == 0 {
		return "", nil
	}
	return found[0], found[1:]
}

func (s Source) folders(usual []string) []string {
	if s.Folders != nil {
		return s.Folders
	}
	return usual
}

// readFile reads YAML, or JSON, which is YAML too.
func (l *loader) readFile(path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		l.problem("config", "", "", fmt.Sprintf("cannot be read: %v", err))
		return
	}
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		l.problem("", "", syntaxAt(path, err), syntaxText(err))
		return
	}
	values := map[string]any{}
	for i, doc := range file.Docs {
		if i > 0 && doc.Body != nil {
			l.problem("", "", at(path, doc.Body.GetToken()), "a second document: expected one")
			break
		}
		l.readDocument(path, doc.Body, values)
	}
	l.merge(values)
}

func (l *loader) readDocument(path string, body ast.Node, values map[string]any) {
	switch body := body.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
	case *ast.MappingNode:
		for _, pair := range body.Values {
			l.readPair(path, pair, values)
		}
	default:
		l.problem("", "", at(path, body.GetToken()), "expected lines such as `server: true`")
	}
}

func (l *loader) readPair(path string, pair *ast.MappingValueNode, values map[string]any) {
	where := at(path, pair.Key.GetToken())
	name := pair.Key.GetToken().Value
	k, ok := lookup(name)
	if !ok {
		l.unknown(name, where)
		return
	}
	texts, err := k.texts(pair.Value)
	if err != nil {
		l.problem(name, "", at(path, pair.Value.GetToken()), err.Error())
		return
	}
	if texts != nil { // nothing after the colon is as if the line were not there
		l.set(values, k, texts, at(path, pair.Value.GetToken()))
	}
}

// texts reads what stands after a key as texts.
func (k key) texts(node ast.Node) ([]string, error) {
	switch node := node.(type) {
	case *ast.NullNode:
		return nil, nil
	case *ast.MappingNode:
		if k.kind != kindTags {
			return nil, fmt.Errorf("a map: expected %s", k.wanted())
		}
		pairs := []string{}
		for _, pair := range node.Values {
			value, ok := scalar(pair.Value)
			if !ok {
				return nil, fmt.Errorf("%s: expected one text", pair.Key.GetToken().Value)
			}
			pairs = append(pairs, pair.Key.GetToken().Value+"="+value)
		}
		return pairs, nil
	case *ast.SequenceNode:
		if !k.several() {
			return nil, fmt.Errorf("a list: expected %s", k.wanted())
		}
		texts := []string{}
		for _, item := range node.Values {
			text, ok := scalar(item)
			if !ok {
				return nil, fmt.Errorf("a list that holds more than texts: expected %s", k.wanted())
			}
			texts = append(texts, text)
		}
		return texts, nil
	}
	text, ok := scalar(node)
	if !ok {
		return nil, fmt.Errorf("%s: expected %s", strings.ToLower(node.Type().String()), k.wanted())
	}
	return k.split(text), nil
}

func (k key) wanted() string {
	switch k.kind {
	case kindTags:
		return "a map, or a list of key=value"
	case kindWords, kindLines:
		return "a list of texts, or one"
	}
	return "one value"
}

// scalar is a value as it was written, so that 007 stays 007.
func scalar(node ast.Node) (string, bool) {
	switch node := node.(type) {
	case *ast.StringNode:
		return node.Value, true
	case *ast.LiteralNode:
		return node.Value.Value, true
	case *ast.NullNode:
		return "", true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return node.GetToken().Value, true
	}
	return "", false
}

// at writes a place in a file as compilers do.
func at(path string, t *token.Token) string {
	if t == nil || t.Position == nil {
		return path
	}
	return fmt.Sprintf("%s:%d:%d", path, t.Position.Line, t.Position.Column)
}

func syntaxAt(path string, err error) string {
	if e, ok := err.(yaml.Error); ok {
		return at(path, e.GetToken())
	}
	return path
}

func syntaxText(err error) string {
	if e, ok := err.(yaml.Error); ok {
		return e.GetMessage()
	}
	return err.Error()
}
