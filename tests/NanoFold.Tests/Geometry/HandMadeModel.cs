using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Geometry;

/// <summary>
/// A model of two layers whose weights are multiples of the identity, so that its streams, patterns, gates and loads follow from a few lines in double:
/// gated attention with q = a · x̂, k = v = x̂, gates σ(g · x̂), o = z · gate; experts e with up = x̂, gate = (e + 1) · x̂ and down = d · I, router r_e · x̂.
/// </summary>
internal sealed class HandMadeModel : IDisposable
{
    public const int Batch = 2, Time = 6, Width = 8, Heads = 2, Depth = Width / Heads, Experts = 4, Active = 2, Layers = 2;

    private const double QueryScale = 2, GateScale = 1.5, OutputScale = 0.5, DownScale = 0.25;

    private static readonly ModelConfig s_config = new()
    {
        Layers = Layers, Width = Width, Heads = Heads, Context = Time, Vocab = 7, Position = PositionKind.Learned, Initialization = InitializationKind.Scaled,
        Mixer = new GatedAttentionConfig { Gate = GatePosition.AttentionOutput, Granularity = GateGranularity.Elementwise },
        FeedForward = new MoeConfig { Experts = Experts, Active = Active, Hidden = Width },
    };

    private readonly double[][] _embedding;
    private readonly double[][] _positions;
    private readonly double[][] _router;

    public HandMadeModel(Backend backend)
    {
        Model = new Transformer(s_config, backend);
        _embedding = [.. Numbers.Uniform("embedding", s_config.Vocab * Width, -1, 1).Select(v => (double)(float)v).Chunk(Width)];
        _positions = [.. Numbers.Uniform("positions", Time * Width, -0.5, 0.5).Select(v => (double)(float)v).Chunk(Width)];
        _router = [.. Numbers.Uniform("router", Experts * Width, -1, 1).Select(v => (double)(float)v).Chunk(Width)];
        foreach (Parameter parameter in Model.Store.Parameters)
        {
            Host.Write(Model.Store, parameter, ValuesOf(parameter));
        }

        Tokens = [1, 4, 2, 6, 0, 3, 5, 2, 3, 0, 1, 6];
        Documents = [0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 2];
    }

    public Transformer Model { get; }

    /// <summary>[B, T].</summary>
    public int[] Tokens { get; }

    /// <summary>[B, T], in two and in two documents.</summary>
    public int[] Documents { get; }

    /// <summary>What each layer holds, by the names of its points.</summary>
    public IReadOnlyList<HandMadeLayer> Run(bool maskDocuments = false)
    {
        double[][] x = Sum([.. Tokens.Select(token => _embedding[token])], [.. Tokens.Select((_, i) => _positions[i % Time])]);
        var layers = new List<HandMadeLayer>();
        for (int layer = 0; layer < Layers; layer++)
        {
            var values = new HandMadeLayer { Before = x };
            double[][] normed = [.. x.Select(Normed)];
            values.Gates = [.. normed.Select(row => row.Select(v => 1 / (1 + Math.Exp(-GateScale * v))).ToArray())];
            values.Pattern = [.. Enumerable.Range(0, Tokens.Length).Select(i => Enumerable.Range(0, Heads).Select(h => Weights(normed, i, h, maskDocuments)).ToArray())];
            values.Mixed = [.. Enumerable.Range(0, Tokens.Length).Select(i => Mix(normed, values, i))];
            values.Middle = Sum(x, values.Mixed);
            normed = [.. values.Middle.Select(Normed)];
            int[][] chosen = [.. normed.Select(Chosen)];
            values.Load = [.. Enumerable.Range(0, Experts).Select(e => chosen.Sum(c => c.Count(i => i == e)) / (double)(Active * Tokens.Length))];
            values.Fed = [.. normed.Select((row, i) => Feed(row, chosen[i]))];
            values.After = x = Sum(values.Middle, values.Fed);
            layers.Add(values);
        }

        return layers;
    }

    /// <summary>Turns the embeddings a little.</summary>
    public void Move()
    {
        for (int i = 0; i < _embedding.Length; i++)
        {
            _embedding[i] = [.. _embedding[i].Select((v, c) => (double)(float)(v + (0.1 * (c - i))))];
        }

        Parameter parameter = Model.Store.Parameters.Single(p => p.Name.EndsWith("embed_tokens.weight", StringComparison.Ordinal));
        Host.Write(Model.Store, parameter, ValuesOf(parameter));
    }

    public void Dispose() => Model.Dispose();

    /// <summary>The values of a parameter.</summary>
    public double[] ValuesOf(Parameter parameter)
    {
        string name = parameter.Name;
        return name.EndsWith("embed_tokens.weight", StringComparison.Ordinal) ? [.. _embedding.SelectMany(row => row)]
            : name.EndsWith("embed_positions.weight", StringComparison.Ordinal) ? [.. _positions.SelectMany(row => row)]
            : name.EndsWith("mlp.gate.weight", StringComparison.Ordinal) ? [.. _router.SelectMany(row => row)]
            : name.EndsWith("q_proj.weight", StringComparison.Ordinal) ? Identity(QueryScale)
            : name.EndsWith("self_attn.gate_proj.weight", StringComparison.Ordinal) ? Identity(GateScale)
            : name.EndsWith("o_proj.weight", StringComparison.Ordinal) ? Identity(OutputScale)
            : name.EndsWith("experts.gate_proj.weight", StringComparison.Ordinal) ? [.. Enumerable.Range(0, Experts).SelectMany(e => Identity(e + 1))]
            : name.EndsWith("experts.up_proj.weight", StringComparison.Ordinal) ? [.. Enumerable.Range(0, Experts).SelectMany(_ => Identity(1))]
            : name.EndsWith("experts.down_proj.weight", StringComparison.Ordinal) ? [.. Enumerable.Range(0, Experts).SelectMany(_ => Identity(DownScale))]
            : parameter.Layout.Rank == 2 && parameter.Layout.Count == Width * Width ? Identity(1)
            : [.. Enumerable.Repeat(1.0, (int)parameter.Layout.Count)];
    }

    private static double[] Identity(double scale) => [.. Enumerable.Range(0, Width * Width).Select(i => i / Width == i % Width ? scale : 0)];

    private static double[] Normed(double[] x)
    {
        double rms = Math.Sqrt(x.Average(v => v * v) + s_config.NormEpsilon);
        return [.. x.Select(v => v / rms)];
    }

    private double[] Weights(double[][] normed, int token, int head, bool maskDocuments)
    {
        (int b, int t) = Math.DivRem(token, Time);
        double Score(int j) => Enumerable.Range(head * Depth, Depth).Sum(c => QueryScale * normed[token][c] * normed[(b * Time) + j][c]) / Math.Sqrt(Depth);
        bool Sees(int j) => j <= t && (!maskDocuments || Documents[(b * Time) + j] == Documents[token]);
        double[] weights = [.. Enumerable.Range(0, Time).Select(j => Sees(j) ? Math.Exp(Score(j)) : 0)];
        return [.. weights.Select(w => w / weights.Sum())];
    }

    private static double[] Mix(double[][] normed, HandMadeLayer values, int token) =>
    [
        .. Enumerable.Range(0, Width).Select(c => OutputScale * values.Gates[token][c]
            * Enumerable.Range(0, Time).Sum(j => values.Pattern[token][c / Depth][j] * normed[(token / Time * Time) + j][c])),
    ];

    private int[] Chosen(double[] row) =>
        [.. Enumerable.Range(0, Experts).OrderByDescending(e => _router[e].Zip(row, (w, v) => w * v).Sum()).ThenBy(e => e).Take(Active)];

    private double[] Feed(double[] row, int[] chosen)
    {
        double[] weights = [.. chosen.Select(e => Math.Exp(_router[e].Zip(row, (w, v) => w * v).Sum()))];
        var y = new double[Width];
        for (int i = 0; i < chosen.Length; i++)
        {
            for (int c = 0; c < Width; c++)
            {
                double gate = (chosen[i] + 1) * row[c];
                y[c] += weights[i] / weights.Sum() * DownScale * gate / (1 + Math.Exp(-gate)) * row[c];
            }
        }

        return y;
    }

    private static double[][] Sum(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (u, v) => u + v).ToArray())];
}

/// <summary>One layer's values, [B · T] rows each.</summary>
internal sealed class HandMadeLayer
{
    public required double[][] Before { get; init; }

    public double[][] Gates { get; set; } = [];

    /// <summary>[B · T, H, T].</summary>
    public double[][][] Pattern { get; set; } = [];

    public double[][] Mixed { get; set; } = [];

    public double[][] Middle { get; set; } = [];

    public double[][] Fed { get; set; } = [];

    public double[][] After { get; set; } = [];

    /// <summary>[E].</summary>
    public double[] Load { get; set; } = [];
}
