package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/zclconf/go-cty/cty"
)

const (
	atOnce = 16 // more connections than Terraform's usual ten resources at a time
	page   = 1000
)

// row is as much of a HaloPSA SoftwareLicence as the provider looks at.
type row struct {
	ID       int64   `json:"id"`
	Customer int64   `json:"client_id"`
	Name     string  `json:"name"`
	Marker   *string `json:"snowid"`
	Count    int64   `json:"count"`
}

func (r row) state() cty.Value {
	marker := cty.NullVal(cty.String)
	if r.Marker != nil {
		marker = cty.StringVal(*r.Marker)
	}
	return cty.ObjectVal(map[string]cty.Value{
		"id":          cty.NumberIntVal(r.ID),
		"customer_id": cty.NumberIntVal(r.Customer),
		"name":        cty.StringVal(r.Name),
		"marker":      marker,
		"quantity":    cty.NumberIntVal(r.Count),
	})
}

// api holds the connections to both systems, one token for the life of the process, and one listing at most.
type api struct {
	client *http.Client
	token  once
	rows   once
}

// once remembers the first result of a function, which is the only one that is ever asked for.
type once struct {
	sync.Once
	value interface{}
	err   error
}

func (o *once) get(make func() (interface{}, error)) (interface{}, error) {
	o.Do(func() { o.value, o.err = make() })
	return o.value, o.err
}

func newAPI() *api {
	transport := &http.Transport{MaxIdleConns: 2 * atOnce, MaxIdleConnsPerHost: atOnce, DisableCompression: true}
	return &api{client: &http.Client{Transport: transport, Timeout: time.Minute}}
}

// one reads a single Subscription; nil when HaloPSA has none with that id.
func (a *api) one(ctx context.Context, id int64) (*row, error) {
	var found row
	status, err := a.halo(ctx, http.MethodGet, fmt.Sprintf("/api/SoftwareLicence/%d", id), nil, &found)
	if status == http.StatusNotFound {
		return nil, nil
	}
	return &found, err
}

// listed finds a Subscription in the listing, which is read when it is first asked for.
func (a *api) listed(ctx context.Context, id int64) (*row, error) {
	rows, err := a.rows.get(func() (interface{}, error) { return a.listing(ctx) })
	if err != nil {
		return nil, err
	}
	return rows.(map[int64]*row)[id], nil
}

func (a *api) listing(ctx context.Context) (map[int64]*row, error) {
	const query = "pageinate=true&page_size=%d&page_no=%d&order=id&includeinactive=true"
	found := map[int64]*row{}
	for number := 1; ; number++ {
		var answer struct {
			Total int   `json:"record_count"`
			Rows  []row `json:"licences"`
		}
		path := "/api/SoftwareLicence?" + fmt.Sprintf(query, page, number)
		if _, err := a.halo(ctx, http.MethodGet, path, nil, &answer); err != nil {
			return nil, err
		}
		for place := range answer.Rows {
			found[answer.Rows[place].ID] = &answer.Rows[place]
		}
		if len(answer.Rows) == 0 || len(found) >= answer.Total {
			return found, nil
		}
	}
}

func (a *api) write(ctx context.Context, members map[string]interface{}) (*row, error) {
	body, err := json.Marshal([]interface{}{members})
	if err != nil {
		return nil, err
	}
	var written row
	_, err = a.halo(ctx, http.MethodPost, "/api/SoftwareLicence", body, &written)
	return &written, err
}

func (a *api) remove(ctx context.Context, id int64) error {
	_, err := a.halo(ctx, http.MethodDelete, fmt.Sprintf("/api/SoftwareLicence/%d", id), nil, nil)
	return err
}

// counts reads INFIMA's client list, fifty a page: active users by the client's id.
func (a *api) counts(ctx context.Context) (map[int64]int64, error) {
	header := http.Header{"X-API-Key": {os.Getenv("INFIMA_API_KEY")}}
	found := map[int64]int64{}
	for offset := 0; ; {
		var answer struct {
			Items []struct {
				ID    int64 `json:"id"`
				Count int64 `json:"user_count"`
			} `json:"items"`
			Total int `json:"total"`
		}
		address := fmt.Sprintf("%s/v1/clients?limit=50&offset=%d", os.Getenv("INFIMA_URL"), offset)
		if _, err := a.send(ctx, http.MethodGet, address, header, nil, &answer); err != nil {
			return nil, err
		}
		for _, each := range answer.Items {
			found[each.ID] = each.Count
		}
		offset += len(answer.Items)
		if len(answer.Items) == 0 || offset >= answer.Total {
			return found, nil
		}
	}
}

func (a *api) halo(ctx context.Context, method, path string, body []byte, answer interface{}) (int, error) {
	token, err := a.token.get(func() (interface{}, error) { return a.login(ctx) })
	if err != nil {
		return 0, err
	}
	header := http.Header{"Authorization": {"Bearer " + token.(string)}}
	if body != nil {
		header.Set("Content-Type", "application/json")
	}
	return a.send(ctx, method, os.Getenv("HALO_URL")+path, header, body, answer)
}

func (a *api) login(ctx context.Context) (string, error) {
	form := url.Values{
		"grant_type":    {"client_credentials"},
		"client_id":     {os.Getenv("HALO_CLIENT_ID")},
		"client_secret": {os.Getenv("HALO_CLIENT_SECRET")},
		"scope":         {"edit:softwarelicensing"},
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	address := os.Getenv("HALO_URL") + "/auth/token"
	_, err := a.send(ctx, http.MethodPost, address, header, []byte(form.Encode()), &answer)
	return answer.Token, err
}

func (a *api) send(
	ctx context.Context, method, address string, header http.Header, body []byte, answer interface{},
) (int, error) {
	request, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	request.Header = header
	response, err := a.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		return response.StatusCode, err
	}
	if response.StatusCode/100 != 2 {
		_, path, _ := strings.Cut(address, "//")
		return response.StatusCode, fmt.Errorf("%s %s: %d %.200s", method, path, response.StatusCode, content)
	}
	if answer == nil {
		return response.StatusCode, nil
	}
	return response.StatusCode, json.Unmarshal(content, answer)
}
