using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Tests.Serving;

/// <summary>What is answered: always what <c>generate</c> writes.</summary>
public class ServerAnswerTests
{
    private ServerRig _rig = null!;

    [OneTimeSetUp]
    public async Task SetUp() => _rig = await ServerRig.Start(options => options with { Queue = 100 });

    [OneTimeTearDown]
    public async Task TearDown() => await _rig.DisposeAsync();

    [Test]
    public async Task ACompletionIsWhatGenerateWrites()
    {
        GeneratedSample alone = _rig.Alone(["Once upon"], 5)[0];
        JsonObject answer = await _rig.Post("/v1/completions", new JsonObject { ["model"] = "tiny", ["prompt"] = "Once upon", ["seed"] = 5 });
        JsonNode choice = answer["choices"]!.AsArray().Single()!;
        Assert.That((string?)choice["text"], Is.EqualTo(alone.Text));
        Assert.That(((string?)answer["object"], (string?)answer["model"], (long)answer["seed"]!), Is.EqualTo(("text_completion", "tiny", 5L)));
        Assert.That((string?)answer["id"], Does.Match("^cmpl-[0-9a-f]{32}$"));
        Assert.That(((int)choice["index"]!, (string?)choice["finish_reason"], choice["logprobs"]), Is.EqualTo((0, "length", (JsonNode?)null)));
        Assert.That(((int)answer["usage"]!["prompt_tokens"]!, (int)answer["usage"]!["completion_tokens"]!, (int)answer["usage"]!["total_tokens"]!), Is.EqualTo((9, 20, 29)));
    }

    [Test]
    public async Task EverySettingMeansWhatItMeansThere()
    {
        GeneratedSample alone = _rig.Alone(["a b"], 7, options => options with
        {
            MaxTokens = 40, Temperature = 1.3, TopP = 0.9, TopK = 50, MinP = 0.01, RepetitionPenalty = 1.1, Stop = ["q", "zz"], IgnoreEos = true,
        })[0];
        JsonObject answer = await _rig.Post("/v1/completions", new JsonObject
        {
            ["prompt"] = "a b", ["seed"] = 7, ["max_tokens"] = 40, ["temperature"] = 1.3, ["top_p"] = 0.9, ["top_k"] = 50, ["min_p"] = 0.01, ["repetition_penalty"] = 1.1,
            ["stop"] = new JsonArray("q", "zz"), ["ignore_eos"] = true, ["user"] = "someone", ["frequency_penalty"] = 0, ["logit_bias"] = new JsonObject(), ["echo"] = true, ["suffix"] = null,
        });
        Assert.That((string?)answer["choices"]![0]!["text"], Is.EqualTo("a b" + alone.Text));
        Assert.That((string?)answer["choices"]![0]!["finish_reason"], Is.EqualTo(alone.Finish == FinishReason.Length ? "length" : "stop"));
    }

    [Test]
    public async Task SeveralPromptsAndChoicesAreNumberedAsGenerateDoes()
    {
        IReadOnlyList<GeneratedSample> alone = _rig.Alone(["x", "x", "y", "y", "x", "x"], 3);
        JsonObject answer = await _rig.Post("/v1/completions", new JsonObject { ["prompt"] = new JsonArray("x", "y", "x"), ["n"] = 2, ["seed"] = 3 });
        Assert.That(answer["choices"]!.AsArray().Select(choice => (string?)choice!["text"]), Is.EqualTo(alone.Select(sample => sample.Text)));
        Assert.That(answer["choices"]!.AsArray().Select(choice => (int)choice!["index"]!), Is.EqualTo(Enumerable.Range(0, 6)));
        Assert.That((int)answer["usage"]!["prompt_tokens"]!, Is.EqualTo(3));

        foreach (JsonArray tokens in new JsonArray[] { [120], [new JsonArray(120)] })
        {
            answer = await _rig.Post("/v1/completions", new JsonObject { ["prompt"] = tokens, ["seed"] = 3 });
            Assert.That((string?)answer["choices"]![0]!["text"], Is.EqualTo(alone[0].Text));
        }
    }

    [Test]
    public async Task AStreamIsTheSameTextInPieces()
    {
        IReadOnlyList<GeneratedSample> alone = _rig.Alone(["s", "s"], 9);
        List<JsonObject> events = await _rig.Events("/v1/completions", new JsonObject
        {
            ["prompt"] = "s", ["n"] = 2, ["seed"] = 9, ["stream_options"] = new JsonObject { ["include_usage"] = true },
        });
        JsonObject usage = events[^1];
        Assert.That((usage["choices"]!.AsArray().Count, (int)usage["usage"]!["completion_tokens"]!), Is.EqualTo((0, 40)));
        JsonNode[] choices = [.. events[..^1].Select(one => one["choices"]!.AsArray().Single()!)];
        for (int i = 0; i < 2; i++)
        {
            JsonNode[] own = [.. choices.Where(choice => (int)choice["index"]! == i)];
            Assert.That(string.Concat(own.Select(choice => (string?)choice["text"])), Is.EqualTo(alone[i].Text));
            Assert.That(own.Select(choice => (string?)choice["finish_reason"]), Is.EqualTo(own.Select((_, at) => at == own.Length - 1 ? "length" : null)));
        }

        Assert.That(events.Select(one => (string?)one["id"]).Distinct().Count(), Is.EqualTo(1));
        Assert.That(events[..^1].Select(one => (one.ContainsKey("usage"), one["usage"])), Is.All.EqualTo((true, (JsonNode?)null)), "the others have it empty");
        events = await _rig.Events("/v1/completions", new JsonObject { ["prompt"] = "s", ["seed"] = 9 });
        Assert.That(events.Select(one => one.ContainsKey("usage")), Is.All.False);
    }

    [Test]
    public async Task AnAnswerInAChatContinuesWhatTheTemplateMakes()
    {
        JsonArray Messages() => [Message("system", "Be brief."), Message("user", "Hi")];
        string prompt = ChatTemplate.Plain(_rig.Tokenizer).Render([new("system", "Be brief."), new("user", "Hi")], new ChatOptions { AddGenerationPrompt = true });
        int room = 64 - _rig.Tokenizer.Encode(prompt).Length;
        GeneratedSample alone = _rig.Alone([prompt], 4, options => options with { MaxTokens = room, Stop = ["\nUser:"] })[0];
        JsonObject answer = await _rig.Post("/v1/chat/completions", new JsonObject { ["messages"] = Messages(), ["seed"] = 4 });
        JsonNode choice = answer["choices"]!.AsArray().Single()!;
        Assert.That(((string?)choice["message"]!["role"], (string?)choice["message"]!["content"]), Is.EqualTo(("assistant", alone.Text)));
        Assert.That(((string?)answer["object"], (int)answer["usage"]!["completion_tokens"]!), Is.EqualTo(("chat.completion", room)));

        List<JsonObject> events = await _rig.Events("/v1/chat/completions", new JsonObject { ["messages"] = Messages(), ["seed"] = 4, ["max_completion_tokens"] = 12 });
        Assert.That((string?)events[0]["choices"]![0]!["delta"]!["role"], Is.EqualTo("assistant"));
        Assert.That(alone.Text, Does.StartWith(string.Concat(events.Select(one => (string?)one["choices"]![0]!["delta"]!["content"]))));
        Assert.That(((string?)events[^1]["object"], (string?)events[^1]["choices"]![0]!["finish_reason"]), Is.EqualTo(("chat.completion.chunk", "length")));

        // A conversation does not go on without its beginning, however many tokens are asked for.
        answer = await _rig.Post("/v1/chat/completions", new JsonObject { ["messages"] = Messages(), ["seed"] = 4, ["max_tokens"] = 1000 });
        Assert.That(((string?)answer["choices"]![0]!["message"]!["content"], (string?)answer["choices"]![0]!["finish_reason"]), Is.EqualTo((alone.Text, "length")));

        // Parts of text are one text.
        JsonArray parts = [Message("system", "Be brief."), new JsonObject { ["role"] = "user", ["content"] = new JsonArray(new JsonObject { ["type"] = "text", ["text"] = "Hi" }) }];
        answer = await _rig.Post("/v1/chat/completions", new JsonObject { ["messages"] = parts, ["seed"] = 4, ["max_tokens"] = 5 });
        Assert.That(alone.Text, Does.StartWith((string)answer["choices"]![0]!["message"]!["content"]!));
    }

    [Test]
    public async Task LogProbabilitiesStandBesideTheTokens()
    {
        JsonObject answer = await _rig.Post("/v1/completions", new JsonObject { ["prompt"] = "L", ["seed"] = 1, ["max_tokens"] = 6, ["logprobs"] = 3, ["temperature"] = 0 });
        JsonNode scores = answer["choices"]![0]!["logprobs"]!;
        double[] own = [.. scores["token_logprobs"]!.AsArray().Select(value => (double)value!)];
        Assert.That((scores["tokens"]!.AsArray().Count, own.Length, scores["text_offset"]!.AsArray().Count), Is.EqualTo((6, 6, 6)));
        for (int i = 0; i < own.Length; i++)
        {
            // Greedy: the drawn one is the likeliest.
            Assert.That(scores["top_logprobs"]![i]!.AsObject().Max(pair => (double)pair.Value!), Is.EqualTo(own[i]));
            Assert.That(own[i], Is.LessThanOrEqualTo(0));
        }

        // Characters that take several tokens count once, in a stream as in a whole answer.
        JsonObject Offsets() => new() { ["prompt"] = "L", ["seed"] = 3, ["max_tokens"] = 60, ["logprobs"] = 0, ["temperature"] = 2 };
        scores = (await _rig.Post("/v1/completions", Offsets()))["choices"]![0]!["logprobs"]!;
        int[] offsets = [.. scores["text_offset"]!.AsArray().Select(value => (int)value!)];
        byte[] bytes = [.. scores["tokens"]!.AsArray().SelectMany(name => BytesOf((string)name!))];
        Assert.That(offsets, Is.EqualTo(bytes.Select((_, i) => Whole(bytes.AsSpan(0, i)))));
        Assert.That((await _rig.Events("/v1/completions", Offsets())).SelectMany(one => one["choices"]![0]!["logprobs"]?["text_offset"]?.AsArray() ?? []).Select(value => (int)value!), Is.EqualTo(offsets));

        var body = new JsonObject { ["messages"] = new JsonArray(Message("user", "L")), ["seed"] = 1, ["max_tokens"] = 6, ["logprobs"] = true, ["top_logprobs"] = 2 };
        JsonArray content = (await _rig.Post("/v1/chat/completions", (JsonObject)body.DeepClone()))["choices"]![0]!["logprobs"]!["content"]!.AsArray();
        Assert.That(content, Has.Count.EqualTo(6));
        foreach (JsonNode? token in content)
        {
            Assert.That((token!["bytes"]!.AsArray().Count, token["top_logprobs"]!.AsArray().Count), Is.EqualTo((1, 2)));
        }

        // A stream tells the same, none left out.
        List<JsonObject> events = await _rig.Events("/v1/chat/completions", body);
        JsonNode[] told = [.. events.Select(one => one["choices"]![0]!["logprobs"]?["content"]).OfType<JsonArray>().SelectMany(list => list)!];
        Assert.That(told.Select(token => (double)token["logprob"]!), Is.EqualTo(content.Select(token => (double)token!["logprob"]!)));
    }

    [Test]
    public async Task SixtyFourClientsGetWhatEachWouldGetAlone()
    {
        string[] prompts = [.. Enumerable.Range(0, 64).Select(i => $"{(char)('a' + (i % 26))}{new string('.', i % 40)}{i}")];
        string[] answers = await Task.WhenAll(prompts.Select(async (prompt, i) =>
        {
            var body = new JsonObject { ["prompt"] = prompt, ["seed"] = i, ["max_tokens"] = 10 + (i % 30) };
            return i % 2 == 0
                ? (string)(await _rig.Post("/v1/completions", body))["choices"]![0]!["text"]!
                : string.Concat((await _rig.Events("/v1/completions", body)).Select(one => (string?)one["choices"]![0]!["text"]));
        }));
        for (int i = 0; i < prompts.Length; i++)
        {
            Assert.That(answers[i], Is.EqualTo(_rig.Alone([prompts[i]], (ulong)i, options => options with { MaxTokens = 10 + (i % 30) })[0].Text), $"client {i}");
        }
    }

    [Test]
    public async Task ModelsMetricsAndHealth()
    {
        JsonObject list = JsonNode.Parse(await _rig.Client.GetStringAsync("/v1/models"))!.AsObject();
        Assert.That(((string?)list["data"]![0]!["id"], (int)list["data"]![0]!["context_length"]!), Is.EqualTo(("tiny", 64)));
        Assert.That((string?)JsonNode.Parse(await _rig.Client.GetStringAsync("/v1/models/tiny"))!["object"], Is.EqualTo("model"));
        Assert.That(await _rig.Client.GetStringAsync("/health"), Is.EqualTo("{\"status\":\"ok\"}\n"));
        using (HttpResponseMessage head = await _rig.Client.SendAsync(new HttpRequestMessage(HttpMethod.Head, "/health")))
        {
            Assert.That((int)head.StatusCode, Is.EqualTo(200));
        }

        double before = await _rig.Metric("nanofold_tokens_total{kind=\"completion\"}");
        await _rig.Post("/v1/completions", new JsonObject { ["prompt"] = "m", ["max_tokens"] = 3 });
        Assert.That(await _rig.Metric("nanofold_tokens_total{kind=\"completion\"}") - before, Is.EqualTo(3));
        Assert.That(await _rig.Metric("nanofold_requests_total{path=\"/v1/completions\",status=\"200\"}"), Is.GreaterThanOrEqualTo(1));
        foreach (string line in (await _rig.Client.GetStringAsync("/metrics")).Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            Assert.That(line, Does.Match("^(# (HELP|TYPE) [a-z_]+ .+|[a-z_]+(\\{[a-z]+=\"[^\"]*\"(,[a-z]+=\"[^\"]*\")*\\})? [0-9.E+-]+)$"));
        }
    }

    // A token of the rig is a byte.
    private static byte[] BytesOf(string name) => name.StartsWith("bytes:", StringComparison.Ordinal) ? Convert.FromHexString(name[6..].Replace("\\x", "", StringComparison.Ordinal)) : Encoding.UTF8.GetBytes(name);

    private static int Whole(ReadOnlySpan<byte> bytes) => new Utf8Stream().Write(bytes).EnumerateRunes().Count();

    internal static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };
}
