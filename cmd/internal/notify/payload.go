package notify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"text/template"
	"text/template/parse"

	"orrery"
	"orrery/proto/orrerypb"
)

// payload is a body to be filled in. It is a template of Go, whose values cannot break
// what they are put into: where the text around them is JSON they are escaped as parts
// of a JSON string, and where the request is a form as parts of a form. {{json .Output}}
// is a whole JSON value, with its quotes.
type payload struct {
	template *template.Template
	json     bool
}

// CheckPayload says what is wrong with a payload: nil, or an Error with code Invalid. "",
// for the summary, is right.
func CheckPayload(text string) error {
	if text == "" {
		return nil
	}
	p, err := parsePayload(text)
	if err == nil { // what a template asks of its values is found out only with values
		_, err = p.fill(newExecution(&orrerypb.Notification{}, nil, ""), false)
	}
	return err
}

// startsJSON finds the beginning of an object, a list or a text of JSON.
var startsJSON = regexp.MustCompile(`^\s*"|[{\[]\s*["{\[]`)

// filling is the name of the function that every value goes through.
const filling = "filled"

func parsePayload(text string) (*payload, error) {
	t, err := template.New("payload").Funcs(template.FuncMap{"json": toJSON, filling: fmt.Sprint}).Parse(text)
	if err != nil {
		return nil, orrery.Invalidf("%s", strings.TrimPrefix(err.Error(), "template: "))
	}
	p := &payload{template: t}
	var around strings.Builder
	if err := prepare(t.Tree.Root, &around); err != nil {
		return nil, err
	}
	if len(t.Templates()) > 1 {
		return nil, refused("define")
	}
	p.json = startsJSON.MatchString(around.String())
	return p, nil
}

// refused answers what could make a template run for ever on the leader. Nothing of an
// execution needs it.
func refused(action string) error {
	return orrery.Invalidf("payload: {{%s}} is not accepted: expected values, if, with and functions", action)
}

// prepare has every value of a template go through the filling, and gathers the text
// around the values.
func prepare(node parse.Node, around *strings.Builder) error {
	switch n := node.(type) {
	case nil:
	case *parse.ListNode:
		if n == nil {
			return nil
		}
		for _, inner := range n.Nodes {
			if err := prepare(inner, around); err != nil {
				return err
			}
		}
	case *parse.TextNode:
		around.Write(n.Text)
	case *parse.ActionNode:
		if len(n.Pipe.Decl) == 0 {
			through := parse.NewIdentifier(filling).SetPos(n.Pos)
			n.Pipe.Cmds = append(n.Pipe.Cmds, &parse.CommandNode{NodeType: parse.NodeCommand, Pos: n.Pos, Args: []parse.Node{through}})
		}
	case *parse.IfNode:
		return prepareBranches(&n.BranchNode, around)
	case *parse.WithNode:
		return prepareBranches(&n.BranchNode, around)
	case *parse.RangeNode:
		return refused("range")
	case *parse.TemplateNode:
		return refused("template")
	}
	return nil
}

func prepareBranches(n *parse.BranchNode, around *strings.Builder) error {
	if err := prepare(n.List, around); err != nil {
		return err
	}
	return prepare(n.ElseList, around)
}

// maxBody is longer than any payload of 8 KiB grows with the output that a record keeps;
// what is longer has a value in it many times.
const maxBody = 256 << 10

var errTooLong = fmt.Errorf("the body is longer than %d bytes", maxBody)

// fill returns the body for an execution. It is not safe for concurrent use.
func (p *payload) fill(of *execution, form bool) ([]byte, error) {
	p.template.Funcs(template.FuncMap{filling: func(value any) string { return filled(value, p.json, form) }})
	var body limited
	if err := p.template.Execute(&body, of); err != nil {
		if errors.Is(err, errTooLong) {
			err = errTooLong
		}
		return nil, orrery.Invalidf("%s", strings.TrimPrefix(err.Error(), "template: "))
	}
	return body.Bytes(), nil
}

// limited is a buffer that refuses to grow too long.
type limited struct{ bytes.Buffer }

func (l *limited) Write(b []byte) (int, error) {
	if l.Len()+len(b) > maxBody {
		return 0, errTooLong
	}
	return l.Buffer.Write(b)
}

// wholeJSON is a value that is JSON already.
type wholeJSON string

func filled(value any, asJSON, form bool) string {
	text := fmt.Sprint(value)
	if _, whole := value.(wholeJSON); asJSON && !whole {
		quoted := string(toJSON(text))
		text = quoted[1 : len(quoted)-1]
	}
	if form {
		text = url.QueryEscape(text)
	}
	return text
}

// toJSON is a value as JSON. What is not UTF-8 in it is replaced.
func toJSON(value any) wholeJSON {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		return "null" // no value of a template is none of JSON's
	}
	return wholeJSON(bytes.TrimSuffix(b.Bytes(), []byte("\n")))
}
