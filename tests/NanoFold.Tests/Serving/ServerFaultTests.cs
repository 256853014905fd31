using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Server;
using NanoFold.Tests.Generation;

namespace NanoFold.Tests.Serving;

/// <summary>What is sent wrongly, comes too often or takes too long: the right status, and the server goes on.</summary>
public class ServerFaultTests
{
    private const string Long = "{\"prompt\":\"x\",\"max_tokens\":100000000,\"ignore_eos\":true,\"stream\":true}";

    [Test]
    public async Task NonsenseIsRefusedByName()
    {
        await using ServerRig rig = await ServerRig.Start(options => options with { MostTokens = 50 });
        (string Path, string Body, int Status, string Says)[] cases =
        [
            ("completions", "", 400, "the body is no JSON"),
            ("completions", "{\"prompt\":", 400, "the body is no JSON"),
            ("completions", "{\"prompt\":\"\\ud800\"}", 400, "the body has a text that is no Unicode"),
            ("completions", "{\"\\udfff\":1}", 400, "the body has a text that is no Unicode"),
            ("completions", new string('[', 100), 400, "the body is no JSON"),
            ("completions", "[1]", 400, "the body is a list; expected an object"),
            ("completions", "{}", 400, "prompt: is missing"),
            ("completions", "{\"prompt\":null}", 400, "prompt: is missing"),
            ("completions", "{\"prompt\":{}}", 400, "prompt: is an object; expected a text, token ids"),
            ("completions", "{\"prompt\":[]}", 400, "prompt: is a list"),
            ("completions", "{\"prompt\":[1,256]}", 400, "prompt: is 256; expected token ids from 0 to 255"),
            ("completions", "{\"prompt\":[\"a\",1]}", 400, "prompt: is a list"),
            ("completions", "{\"prompt\":\"a\",\"prompt\":\"b\"}", 400, "prompt: is there twice"),
            ("completions", "{\"prompt\":\"a\",\"model\":\"gpt\"}", 404, "model: there is no 'gpt' here; this server has 'tiny'"),
            ("completions", "{\"prompt\":\"a\",\"max_tokens\":0}", 400, "max_tokens: is 0; expected a whole number from 1"),
            ("completions", "{\"prompt\":\"a\",\"max_tokens\":51}", 400, "max_tokens: is 51; this server writes at most 50"),
            ("completions", "{\"prompt\":\"a\",\"max_tokens\":1e99}", 400, "max_tokens: is 1e99"),
            ("completions", "{\"prompt\":\"a\",\"temperature\":-1}", 400, "temperature: is -1; expected a number of at least 0"),
            ("completions", "{\"prompt\":\"a\",\"top_p\":0}", 400, "top_p: is 0; expected a number above 0 and at most 1"),
            ("completions", "{\"prompt\":\"a\",\"stop\":[\"\"]}", 400, "stop: is a list; expected a text or at most 16"),
            ("completions", $"{{\"prompt\":\"a\",\"stop\":\"{new string('b', 1001)}\"}}", 400, "stop: is \"bbb"),
            ("completions", "{\"prompt\":\"a\",\"n\":65}", 400, "n: is 65; expected a whole number from 1 to 64"),
            ("completions", "{\"prompt\":[\"a\",\"b\"],\"n\":40}", 400, "n: 80 texts in one request; this server holds at most 68"),
            ("completions", "{\"prompt\":\"a\",\"best_of\":3}", 400, "best_of: is not there"),
            ("completions", "{\"prompt\":\"a\",\"presence_penalty\":1}", 400, "presence_penalty: is not there; repetition_penalty"),
            ("completions", "{\"prompt\":\"a\",\"echo\":true,\"logprobs\":1}", 400, "echo: is not there together with logprobs"),
            ("completions", "{\"prompt\":\"a\",\"stream_options\":3}", 400, "stream_options: is 3; expected an object"),
            ("completions", "{\"prompt\":\"a\",\"temprature\":1}", 400, "temprature: no such field; known are best_of"),
            ("completions", $"{{\"prompt\":\"{new string('a', 64)}\"}}", 400, "the prompt has 64 tokens; the model sees 64, one of which it has to write"),
            ("chat/completions", "{}", 400, "messages: is missing"),
            ("chat/completions", "{\"messages\":[]}", 400, "messages: is a list; expected a list of at least one message"),
            ("chat/completions", "{\"messages\":[3]}", 400, "messages.0: is 3; expected an object with role and content"),
            ("chat/completions", "{\"messages\":[{\"content\":\"a\"}]}", 400, "messages.0.role: is missing"),
            ("chat/completions", "{\"messages\":[{\"role\":\"user\"}]}", 400, "messages.0.content: is missing"),
            ("chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":[{\"type\":\"image_url\"}]}]}", 400, "messages.0.content: has a part that is not text"),
            ("chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"top_logprobs\":2}", 400, "top_logprobs: needs logprobs: true"),
            ("chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"tools\":[{}]}", 400, "tools: is not there"),
            ("chat/completions", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}],\"response_format\":{\"type\":\"json_object\"}}", 400, "response_format: only text is written"),
        ];
        foreach ((string path, string body, int status, string says) in cases)
        {
            using HttpResponseMessage answer = await rig.Send($"/v1/{path}", body);
            JsonNode error = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["error"]!;
            Assert.That(((int)answer.StatusCode, (string?)error["message"]), Is.EqualTo((status, (string?)error["message"])), body);
            Assert.That((string?)error["message"], Does.StartWith(says), body);
            Assert.That((string?)error["type"], Is.EqualTo("invalid_request_error"));
        }

        using (HttpResponseMessage form = await rig.Send("/v1/completions", "prompt=a", "application/x-www-form-urlencoded"))
        {
            Assert.That((int)form.StatusCode, Is.EqualTo(415));
        }

        foreach (string path in new[] { "/v1/completions", "/", "/favicon.ico" })
        {
            using HttpResponseMessage nothing = await rig.Client.GetAsync(path);
            Assert.That((int)nothing.StatusCode, Is.EqualTo(404));
            Assert.That(await nothing.Content.ReadAsStringAsync(), Does.Contain("POST /v1/completions"));
        }

        using var other = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
        other.Headers.Host = "evil.example";
        using HttpResponseMessage strange = await rig.Client.SendAsync(other);
        Assert.That((int)strange.StatusCode, Is.EqualTo(400));
        Assert.That((string?)JsonNode.Parse(await strange.Content.ReadAsStringAsync())!["error"]!["message"], Does.StartWith("the host is 'evil.example'; without a key this server answers as localhost, 127.0.0.1, [::1] only"));
        await AssertGoesOn(rig);
    }

    [Test]
    public async Task AnotherLoopbackAddressIsAnsweredToo()
    {
        if (!OperatingSystem.IsLinux())
        {
            Assert.Ignore("one address leads to this machine alone");
        }

        await using ServerRig rig = await ServerRig.Start(options => options with { Address = IPAddress.Parse("127.0.0.2") });
        await AssertGoesOn(rig);
    }

    [Test]
    public async Task WhoeverLeavesWithinTheBodyIsNoFault()
    {
        await using ServerRig rig = await ServerRig.Start();
        foreach (bool resets in new[] { false, true })
        {
            using var client = new TcpClient();
            await client.ConnectAsync(IPAddress.Loopback, new Uri(rig.Server.Address).Port);
            await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"prompt\""));
            client.LingerState = new LingerOption(resets, 0);
        }

        for (int i = 0; await Requests(rig) < 2; i++)
        {
            Assert.That(i, Is.LessThan(6000), "nobody noticed");
            await Task.Delay(10);
        }

        await AssertGoesOn(rig);
    }

    [Test]
    public async Task WhoeverDoesNotFitInIsToldWhenToComeAgain()
    {
        await using ServerRig rig = await ServerRig.Start(options => options with { Streams = 1, Queue = 1 });
        using var leaves = new CancellationTokenSource();
        HttpResponseMessage first = await rig.Send("/v1/completions", Long, cancel: leaves.Token);
        await rig.Until("nanofold_texts{state=\"active\"}", 1);
        using var second = new CancellationTokenSource();
        Task<HttpResponseMessage> waiting = rig.Send("/v1/completions", Long.Replace("true}", "false}", StringComparison.Ordinal), cancel: second.Token);
        await rig.Until("nanofold_texts{state=\"waiting\"}", 1);
        using (HttpResponseMessage refused = await rig.Send("/v1/completions", Long))
        {
            Assert.That((int)refused.StatusCode, Is.EqualTo(429));
            Assert.That(refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds, Is.InRange(1, 60));
            Assert.That((string?)JsonNode.Parse(await refused.Content.ReadAsStringAsync())!["error"]!["type"], Is.EqualTo("rate_limit_error"));
        }

        // Health is not limited. Both clients leave: their texts end, and there is room again.
        Assert.That(await rig.Client.GetStringAsync("/health"), Does.Contain("ok"));
        await leaves.CancelAsync();
        first.Dispose();
        await second.CancelAsync();
        Assert.That(async () => await waiting, Throws.InstanceOf<OperationCanceledException>());
        await rig.Until("nanofold_texts{state=\"active\"}", 0);
        await AssertGoesOn(rig);
    }

    [Test]
    public async Task WhatTakesTooLongIsEnded()
    {
        await using ServerRig rig = await ServerRig.Start(options => options with { Timeout = TimeSpan.FromSeconds(2), BodyTimeout = TimeSpan.FromSeconds(1) });
        Task<HttpResponseMessage> ending = rig.Send("/v1/completions", Long.Replace("true}", "false}", StringComparison.Ordinal));
        using (HttpResponseMessage stream = await rig.Send("/v1/completions", Long))
        {
            Assert.That(async () => await stream.Content.ReadAsStringAsync(), Throws.InstanceOf<HttpRequestException>());
        }

        using (HttpResponseMessage whole = await ending)
        {
            Assert.That((int)whole.StatusCode, Is.EqualTo(504));
            Assert.That(await whole.Content.ReadAsStringAsync(), Does.Contain("not done after 2 s"));
        }

        string slow = await Raw(rig, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{\"prompt\"", _ => []);
        Assert.That(slow, Does.StartWith("HTTP/1.1 408 "));
        await rig.Until("nanofold_texts{state=\"active\"}", 0);
        await AssertGoesOn(rig);
    }

    [Test]
    public async Task HeadersAndBodiesWithoutEndAreCutOff()
    {
        await using ServerRig rig = await ServerRig.Start(options => options with { MostBodyBytes = 100_000 });
        string header = await Raw(rig, "GET /health HTTP/1.1\r\nHost: localhost\r\nX: ", i => i < 10 << 10 ? Encoding.ASCII.GetBytes(new string('a', 1 << 10)) : []);
        Assert.That(header, Is.Empty.Or.StartWith("HTTP/1.1 431 "));
        string body = await Raw(rig, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n",
            i => i < 1 << 16 ? Encoding.ASCII.GetBytes("400\r\n" + new string(' ', 0x400) + "\r\n") : []);
        Assert.That(body, Is.Empty.Or.StartWith("HTTP/1.1 413 "));
        string told = await Raw(rig, "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100001\r\n\r\n", _ => []);
        Assert.That(told, Does.StartWith("HTTP/1.1 413 "));
        Assert.That(await Raw(rig, "\0\0\0 nonsense\r\n\r\n", _ => []), Does.StartWith("HTTP/1.1 400 "));
        await AssertGoesOn(rig);
    }

    [Test]
    public async Task WithAKeyNobodyComesInWithout()
    {
        await using ServerRig rig = await ServerRig.Start(options => options with { Key = "a secret", Address = IPAddress.Any });
        rig.Client.BaseAddress = new Uri($"http://127.0.0.1:{new Uri(rig.Server.Address).Port}");
        Assert.That((int)(await rig.Client.GetAsync("/health")).StatusCode, Is.EqualTo(200));
        foreach ((string? key, int status) in new[] { (null, 401), ("Bearer another", 401), ("a secret", 401), ("Bearer a secret", 200) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/v1/models");
            if (key is not null)
            {
                request.Headers.TryAddWithoutValidation("Authorization", key);
            }

            using HttpResponseMessage answer = await rig.Client.SendAsync(request);
            Assert.That((int)answer.StatusCode, Is.EqualTo(status), key);
        }

        foreach (string impossible in new[] { "", " a", "a\n", "é" })
        {
            Assert.That(async () => await ModelServer.Start(rig.Served, new ServerOptions { Key = impossible, Port = 0 }), Throws.InstanceOf<UserException>().With.Message.StartsWith("the key cannot be sent in a header"));
        }

        UserException fault = Assert.ThrowsAsync<UserException>(async () => await ModelServer.Start(rig.Served, new ServerOptions { Address = IPAddress.Any, Port = 0 }))!;
        Assert.That(fault.Message, Does.Contain("a key is needed"));
        fault = Assert.ThrowsAsync<UserException>(async () => await ModelServer.Start(rig.Served, new ServerOptions { Port = new Uri(rig.Server.Address).Port }))!;
        Assert.That(fault.Message, Does.Contain("cannot be listened on"));
    }

    [Test]
    public async Task ADamagedModelIsSaidAndTheServerStays()
    {
        await using ServerRig rig = await ServerRig.Start();
        float[] head = TinyModels.Read(rig.Model, "lm_head.weight");
        TinyModels.Write(rig.Model, "lm_head.weight", [.. head.Select(_ => float.NaN)]);
        using (HttpResponseMessage answer = await rig.Send("/v1/completions", "{\"prompt\":\"x\"}"))
        {
            Assert.That((int)answer.StatusCode, Is.EqualTo(500));
            Assert.That(await answer.Content.ReadAsStringAsync(), Does.Contain("the logit of token 0 is NaN"));
        }

        TinyModels.Write(rig.Model, "lm_head.weight", head);
        await AssertGoesOn(rig);
    }

    // Of completions, whatever was answered.
    private static async Task<double> Requests(ServerRig rig) => (await rig.Client.GetStringAsync("/metrics")).Split('\n')
        .Where(line => line.StartsWith("nanofold_requests_total{path=\"/v1/completions\"", StringComparison.Ordinal))
        .Sum(line => double.Parse(line.Split(' ')[^1], CultureInfo.InvariantCulture));

    private static async Task AssertGoesOn(ServerRig rig)
    {
        JsonObject answer = await rig.Post("/v1/completions", new JsonObject { ["prompt"] = "on", ["seed"] = 2, ["max_tokens"] = 5 });
        Assert.That((string?)answer["choices"]![0]!["text"], Is.EqualTo(rig.Alone(["on"], 2, options => options with { MaxTokens = 5 })[0].Text));
        Assert.That(rig.Notes, Is.Empty);
    }

    // What a connection answers to bytes that go on until there are no more, or nobody takes them.
    private static async Task<string> Raw(ServerRig rig, string head, Func<int, byte[]> more)
    {
        using var client = new TcpClient();
        await client.ConnectAsync(IPAddress.Loopback, new Uri(rig.Server.Address).Port);
        NetworkStream stream = client.GetStream();
        var answer = new MemoryStream();
        Task reading = Task.Run(async () =>
        {
            try
            {
                await stream.CopyToAsync(answer);
            }
            catch (IOException)
            {
                // Cut off.
            }
        });
        try
        {
            await stream.WriteAsync(Encoding.ASCII.GetBytes(head));
            for (int i = 0; more(i) is { Length: > 0 } bytes; i++)
            {
                await stream.WriteAsync(bytes);
            }
        }
        catch (IOException)
        {
            // Nobody takes more of it.
        }

        // A connection that is kept open tells its answer and no end.
        await Task.WhenAny(reading, Task.Run(async () =>
        {
            for (int i = 0; i < 500 && answer.Length == 0; i++)
            {
                await Task.Delay(10);
            }

            await Task.Delay(50);
        }));
        return Encoding.ASCII.GetString(answer.ToArray());
    }
}
