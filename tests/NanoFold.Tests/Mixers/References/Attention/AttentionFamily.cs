using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Tests.Suites;

namespace NanoFold.Tests.Mixers.References;

/// <summary>Attention by its definition: a variant says which keys a query takes, and what is multiplied by gates.</summary>
internal abstract class AttentionFamily<TConfig> : MixerReference<TConfig>
    where TConfig : AttentionFamilyConfig
{
    public override double[][][] Pattern(MixerConfig mixer, NaiveLayer layer, double[][] x)
    {
        var own = (TConfig)mixer;
        HeadShape shape = own.ShapeFor(layer.Model);
        double[][] q = Queries(own, layer, x), k = Keys(own, layer, x);
        double[][]? sums = DecaySums(layer, x);
        return
        [
            .. Enumerable.Range(0, shape.Heads).Select(h => x.Select((_, t) =>
                Weights(own, layer, h, t, layer.Shown(t, x.Length), q, k, j => sums is null ? 0 : sums[t][h] - sums[j][h], layer.Find("sinks")?[h])).ToArray()),
        ];
    }

    public override int? Length(string letter, MixerConfig mixer, ModelConfig model)
    {
        HeadShape shape = ((TConfig)mixer).ShapeFor(model);
        return letter switch { "H" => shape.Heads, "G" => shape.KvHeads, "D" => shape.HeadDim, _ => null };
    }

    /// <summary>The keys that query t takes of those that the model shows it, given their scores.</summary>
    protected virtual IEnumerable<int> Seen(TConfig mixer, int t, IReadOnlyList<int> shown, Func<int, double> score) => shown;

    /// <summary>Running sums of log decays [T][H], where scores have some.</summary>
    protected virtual double[][]? DecaySums(NaiveLayer layer, double[][] x) => null;

    /// <summary>What a gate at that place makes of y [T][..].</summary>
    protected virtual double[][] Gate(TConfig mixer, NaiveLayer layer, double[][] x, GatePosition place, double[][] y) => y;

    protected override double[][] Forward(TConfig mixer, NaiveLayer layer, double[][] x)
    {
        double[][] z = Gate(mixer, layer, x, GatePosition.AttentionOutput, Weighed(mixer, layer, x));
        return Gate(mixer, layer, x, GatePosition.Output, [.. z.Select(row => layer.Linear(row, "o_proj"))]);
    }

    /// <summary>What each query head takes of the values, [T][H · DV].</summary>
    protected double[][] Weighed(TConfig mixer, NaiveLayer layer, double[][] x)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        double[][][] pattern = Pattern(mixer, layer, x);
        double[][] v = Gate(mixer, layer, x, GatePosition.Values, Project(layer, x, "v_proj", shape.ValueWidth));
        return [.. x.Select((_, t) => Enumerable.Range(0, shape.Heads * shape.ValueDim).Select(i =>
        {
            int h = i / shape.ValueDim, shared = h / (shape.Heads / shape.ValueHeads) * shape.ValueDim + i % shape.ValueDim;
            return Enumerable.Range(0, x.Length).Sum(j => pattern[h][t][j] * v[j][shared]);
        }).ToArray())];
    }

    protected double[][] Queries(TConfig mixer, NaiveLayer layer, double[][] x) =>
        Turned(mixer, layer, Gate(mixer, layer, x, GatePosition.Queries, Normed(mixer, layer, Project(layer, x, "q_proj", mixer.ShapeFor(layer.Model).QueryWidth), "q_norm")));

    protected double[][] Keys(TConfig mixer, NaiveLayer layer, double[][] x) =>
        Turned(mixer, layer, Gate(mixer, layer, x, GatePosition.Keys, Normed(mixer, layer, Project(layer, x, "k_proj", mixer.ShapeFor(layer.Model).KeyWidth), "k_norm")));

    private double[] Weights(TConfig mixer, NaiveLayer layer, int head, int t, IReadOnlyList<int> shown, double[][] q, double[][] k, Func<int, double> term, double? sink)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        int d = shape.HeadDim, own = head * d, shared = head / (shape.Heads / shape.KvHeads) * d;
        double scale = layer.Model.ScoreScale > 0 ? layer.Model.ScoreScale : 1 / Math.Sqrt(d), cap = layer.Model.ScoreCap;
        double Product(int j) => Enumerable.Range(0, d).Sum(i => q[t][own + i] * k[j][shared + i]) * scale;
        double Score(int j) => (cap > 0 ? cap * Math.Tanh(Product(j) / cap) : Product(j)) + term(j);
        var weights = new double[q.Length];
        int[] seen = [.. Seen(mixer, t, shown, Score)];
        double sum = seen.Sum(j => Math.Exp(Score(j))) + (sink is { } logit ? Math.Exp(logit) : 0);
        foreach (int j in seen)
        {
            weights[j] = Math.Exp(Score(j)) / sum;
        }

        return weights;
    }

    protected static double[][] Project(NaiveLayer layer, double[][] x, string name, int width)
    {
        double[][] y = [.. x.Select(row => layer.Linear(row, name))];
        Assert.That(y[0], Has.Length.EqualTo(width), name);
        return y;
    }

    // Each head, or all of them together, normed, where there is a gain.
    private static double[][] Normed(TConfig mixer, NaiveLayer layer, double[][] y, string name)
    {
        if (layer.Find(name + ".weight") is not { } gain)
        {
            return y;
        }

        int width = layer.Model.QkNormOver == QkNormSpan.Width ? gain.Length : mixer.ShapeFor(layer.Model).HeadDim;
        double[]? bias = layer.Find(name + ".bias");
        return [.. y.Select(row => row.Chunk(width).SelectMany((part, i) => layer.QkNorm(part, Of(gain, i)!, Of(bias, i))).ToArray())];

        // Of one head, where each has its own.
        double[]? Of(double[]? values, int head) => values?.Length == width ? values : values?[(head * width)..((head + 1) * width)];
    }

    // The first elements of each head turned by its position.
    private static double[][] Turned(TConfig mixer, NaiveLayer layer, double[][] y)
    {
        HeadShape shape = mixer.ShapeFor(layer.Model);
        return [.. y.Select((row, t) => row.Chunk(shape.HeadDim)
            .SelectMany(head => layer.Rotate(head[..shape.RopeDim], t, shape.RopeBase, shape.RopeScaling).Concat(head[shape.RopeDim..])).ToArray())];
    }
}
