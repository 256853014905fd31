using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;
using NanoFold.Kernels.Cpu;
using NanoFold.Server;
using NanoFold.Tests.Generation;

namespace NanoFold.Tests.Serving;

/// <summary>A server of a tiny model with random weights on a free port, and a client of it.</summary>
internal sealed class ServerRig : IAsyncDisposable
{
    private readonly CpuBackend _backend = new(1);

    private ServerRig(ModelConfig? config)
    {
        Model = TinyModels.Random(_backend, config ?? TinyModels.Shape with { Context = 64 });
        Served = new ServedModel("tiny", Model, Tokenizer, new GenerationConfig { MaxTokens = 20, Temperature = 0.7 }, ChatTemplate.Plain(Tokenizer));
    }

    public Tokenizer Tokenizer { get; } = new ByteTokenizer();

    public Transformer Model { get; }

    public ServedModel Served { get; }

    public ModelServer Server { get; private set; } = null!;

    public HttpClient Client { get; } = new() { Timeout = TimeSpan.FromMinutes(2) };

    public List<string> Notes { get; } = [];

    public static async Task<ServerRig> Start(Func<ServerOptions, ServerOptions>? change = null, ModelConfig? config = null)
    {
        var rig = new ServerRig(config);
        var options = new ServerOptions { Port = 0, Streams = 4, Note = rig.Notes.Add };
        rig.Server = await ModelServer.Start(rig.Served, change?.Invoke(options) ?? options);
        rig.Client.BaseAddress = new Uri(rig.Server.Address);
        return rig;
    }

    /// <summary>What a generator writes alone.</summary>
    public IReadOnlyList<GeneratedSample> Alone(IReadOnlyList<string> prompts, ulong seed, Func<GenerationConfig, GenerationConfig>? change = null)
    {
        // A model of its own, for the server's is at work on another thread.
        using var backend = new CpuBackend(1);
        using Transformer model = TinyModels.Random(backend, Model.Config);
        using var generator = new Generator(model, Tokenizer);
        return generator.Generate(prompts, change?.Invoke(Served.Defaults) ?? Served.Defaults, seed).Samples;
    }

    public async Task<HttpResponseMessage> Send(string path, string body, string type = "application/json", CancellationToken cancel = default)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StringContent(body, Encoding.UTF8, type) };
        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
    }

    /// <summary>The answer to a request that succeeds.</summary>
    public async Task<JsonObject> Post(string path, JsonObject body)
    {
        using HttpResponseMessage answer = await Send(path, body.ToJsonString());
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK), text);
        return JsonNode.Parse(text)!.AsObject();
    }

    /// <summary>The events of a request that streams, which end with [DONE].</summary>
    public async Task<List<JsonObject>> Events(string path, JsonObject body)
    {
        body["stream"] = true;
        using HttpResponseMessage answer = await Send(path, body.ToJsonString());
        string text = await answer.Content.ReadAsStringAsync();
        Assert.That((answer.StatusCode, answer.Content.Headers.ContentType?.MediaType), Is.EqualTo((HttpStatusCode.OK, "text/event-stream")), text);
        string[] data = [.. text.Split('\n').Where(line => line.Length > 0).Select(line => line.StartsWith("data: ", StringComparison.Ordinal) ? line[6..] : throw new AssertionException(line))];
        Assert.That(data[^1], Is.EqualTo("[DONE]"));
        return [.. data[..^1].Select(line => JsonNode.Parse(line)!.AsObject())];
    }

    /// <summary>The value of a line of the metrics.</summary>
    public async Task<double> Metric(string name) =>
        double.Parse((await Client.GetStringAsync("/metrics")).Split('\n').Single(line => line.StartsWith(name + " ", StringComparison.Ordinal)).Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Waits until a metric has a value.</summary>
    public async Task Until(string name, double value)
    {
        for (int i = 0; await Metric(name) != value; i++)
        {
            Assert.That(i, Is.LessThan(6000), $"{name} does not become {value}");
            await Task.Delay(10);
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await Server.DisposeAsync();
        Model.Dispose();
        _backend.Dispose();
    }
}
