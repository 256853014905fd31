using System.Text.Json;
using NanoFold.Engine.Checkpoints;
using NanoFold.Engine.Geometry;
using NanoFold.Engine.Geometry.Measures;
using NanoFold.Engine.Geometry.Sampling;
using NanoFold.Engine.Model;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Tasks;
using NanoFold.Kernels;

namespace NanoFold.Tests.Geometry.Network;

/// <summary>Models with tokens, for measures that record passes of their own.</summary>
internal sealed class NetworkSamples : IDisposable
{
    private readonly GeometryProbe _probe;
    private readonly IDisposable? _model;

    private NetworkSamples(Transformer model, ProbeShape shape, int[] tokens, int[] targets, IDisposable? owned)
    {
        _model = owned;
        _probe = new GeometryProbe(model, new RandomTokens(model.Config.Vocab, 1), shape, []);
        _probe.Read(tokens, [.. Enumerable.Range(0, tokens.Length).Select(i => i / shape.Time)]);
        NetworkSample sample = _probe.NewNetwork(7, null);
        targets.CopyTo(sample.Rows.Integers(BatchField.Targets));
        Sample = sample with { Targets = targets };
    }

    public NetworkSample Sample { get; }

    /// <summary>A model of a test with made-up tokens.</summary>
    public static NetworkSamples Of(Transformer model, int windows = 4)
    {
        ProbeShape shape = ProbeShape.Of(windows * model.Config.Context, 64, model.Config.Context) with { Batch = windows };
        int[] tokens = Suites.Numbers.Integers("probe", shape.Tokens, 0, model.Config.Vocab);
        return new NetworkSamples(model, shape with { Points = shape.Tokens }, tokens, [.. tokens.Select((_, i) => (i + 1) % shape.Time > 0 ? tokens[i + 1] : -1)], null);
    }

    /// <summary>The small trained model whose figures other libraries computed, with its 32 windows of 64 tokens, or the first of them.</summary>
    public static NetworkSamples Published(Backend backend, int windows = 32)
    {
        string folder = SharedData.Path("peers/geometry");
        TrainedModel trained = TrainedModel.Load(Path.Combine(folder, "model"), backend);
        using SafeTensorsFile file = SafeTensorsFile.Open(Path.Combine(folder, "activations.safetensors"));
        int[] Tokens(string name)
        {
            var all = new long[32 * 64];
            file.Read(name, all.AsSpan());
            return [.. all.Take(windows * 64).Select(token => (int)token)];
        }

        ProbeShape shape = ProbeShape.Of(windows * 64, 64, 64);
        return new NetworkSamples(trained.Model, shape with { Batch = windows, Points = windows * 64 }, Tokens("tokens"), Tokens("targets"), trained);
    }

    /// <summary>A part of what the other libraries found.</summary>
    public static JsonElement Expected(string part) =>
        JsonDocument.Parse(File.ReadAllText(Path.Combine(SharedData.Path("peers/geometry"), "expected.json"))).RootElement.GetProperty(part);

    /// <summary>What a measure writes, by place.</summary>
    public static Dictionary<FigurePlace, FigureWriter> Take(Action<FigureWriter> measure)
    {
        var figures = new FigureWriter(wantsArrays: true);
        measure(figures);
        return figures.ByPlace(new FigurePlace("network", "model")).ToDictionary(one => one.Place, one => one.Written);
    }

    public void Dispose()
    {
        _probe.Dispose();
        _model?.Dispose();
    }
}
