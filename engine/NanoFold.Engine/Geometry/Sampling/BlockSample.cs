using System.Globalization;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Tensors;

namespace NanoFold.Engine.Geometry.Sampling;

/// <summary>A point of a block, named from the block, and which tokens of it.</summary>
public readonly record struct Want(string Point, SampleKind Kind = SampleKind.Points);

/// <summary>What was read of one block in a pass of the probe; the next block's takes its place.</summary>
public sealed class BlockSample
{
    private readonly Dictionary<Want, PointCloud> _clouds = [];
    private readonly Dictionary<Want, PatternSample> _patterns = [];
    private readonly Dictionary<string, (float[] Values, int[] Shape)> _whole = [];

    /// <summary>From 0.</summary>
    public int Layer { get; private set; }

    /// <summary>As in <c>blocks.3</c>.</summary>
    public string Name => $"blocks.{Layer}";

    /// <summary>The model's parameters, or null where none are known.</summary>
    internal ParameterStore? Store { get; set; }

    /// <summary>Rows of the attention pattern, or null where the mixer has none.</summary>
    public PatternSample? Pattern => PatternAt(new Want("attn.hook_pattern", SampleKind.Queries));

    /// <summary>How streams are mixed from the first block up to this one, where that is read.</summary>
    public MixingProduct Mixing { get; } = new();

    /// <summary>The sampled tokens' values at a point, or null where the block has no such point.</summary>
    public PointCloud? Cloud(string point) => Cloud(point, SampleKind.Points);

    /// <summary>The values of some tokens at a point, or null where the block has no such point.</summary>
    public PointCloud? Cloud(string point, SampleKind kind) => _clouds.GetValueOrDefault(new Want(point, kind));

    /// <summary>Rows of an attention pattern at a point, or null where the block has no such point.</summary>
    public PatternSample? PatternAt(Want want) => _patterns.GetValueOrDefault(want);

    /// <summary>Whether something was read there.</summary>
    public bool Has(Want want) => want.Kind == SampleKind.Whole ? _whole.ContainsKey(want.Point) : _clouds.ContainsKey(want) || _patterns.ContainsKey(want);

    /// <summary>The values at a point along stretches of successive tokens, or null where the block has no such point.</summary>
    public PointCloud? Runs(string point) => _clouds.GetValueOrDefault(new Want(point, SampleKind.Runs));

    /// <summary>A value that is not of tokens, or null where the block has no such point.</summary>
    public float[]? Whole(string point) => WholeWithShape(point)?.Values;

    /// <summary>The same with its shape.</summary>
    public (float[] Values, int[] Shape)? WholeWithShape(string point) => _whole.TryGetValue(point, out (float[] Values, int[] Shape) whole) ? whole : null;

    /// <summary>A parameter, named from the block as in <c>self_attn.o_proj.weight</c>; null where the block has none, or where an adapter changes how it acts.</summary>
    public WeightSample? Weights(string name)
    {
        string full = string.Create(CultureInfo.InvariantCulture, $"model.layers.{Layer}.{name}");
        if (Store?.Find(full) is not Parameter parameter)
        {
            return null;
        }

        // An adapter's own parameters are named from the layer: NAME.lora_A.weight beside NAME.weight.
        const string Weight = ".weight";
        string layer = full.EndsWith(Weight, StringComparison.Ordinal) ? full[..^Weight.Length] + "." : full + ".";
        bool isAdapted = Store.Parameters.Any(p => p.Name.StartsWith(layer, StringComparison.Ordinal) && p.Name[layer.Length..] is not ("weight" or "bias"));
        return isAdapted ? null : WeightSample.Of(Store, parameter);
    }

    internal void Begin(int layer)
    {
        Layer = layer;
        _patterns.Clear();
        _clouds.Clear();
        _whole.Clear();
    }

    internal void Add(Want want, PointCloud cloud) => _clouds[want] = cloud;

    internal void Add(string point, float[] value, int[] shape) => _whole[point] = (value, shape);

    internal void Add(Want want, PatternSample pattern) => _patterns[want] = pattern;
}

/// <summary>Rows of one block's attention pattern, [R, H, T].</summary>
public sealed class PatternSample
{
    private float[] _weights = [];
    private int[]? _keys;

    internal PatternSample(SampledRows rows) => Rows = rows;

    /// <param name="rows">Which queries.</param>
    /// <param name="heads">H.</param>
    /// <param name="time">T.</param>
    /// <param name="weights">[R, H, T].</param>
    public PatternSample(SampledRows rows, int heads, int time, ReadOnlySpan<float> weights)
        : this(rows) => weights.CopyTo(Begin(heads, time));

    /// <summary>Which queries, at which positions.</summary>
    public SampledRows Rows { get; }

    /// <summary>H.</summary>
    public int Heads { get; private set; }

    /// <summary>T.</summary>
    public int Time { get; private set; }

    /// <summary>What a head gives to the keys of a query, [T].</summary>
    public ReadOnlySpan<float> Weights(int row, int head) => _weights.AsSpan(((row * Heads) + head) * Time, Time);

    /// <summary>First keys that a query may see, t: those up to its own where nothing else was said.</summary>
    public int Keys(int row) => _keys is null ? Rows.Positions[row] + 1 : _keys[row];

    /// <summary>Says what queries may see.</summary>
    /// <param name="visibility">Of the model.</param>
    /// <param name="time">T.</param>
    /// <param name="prefixes">First keys of each window that all its queries see, where it is a prefix.</param>
    internal void Show(VisibilityKind visibility, int time, ReadOnlySpan<int> prefixes)
    {
        _keys = visibility == VisibilityKind.Causal ? null : new int[Rows.Count];
        for (int row = 0; row < _keys?.Length; row++)
        {
            int own = Rows.Positions[row] + 1;
            _keys[row] = visibility == VisibilityKind.Full ? time : Math.Max(own, Math.Min(prefixes[Rows.Rows[row] / time], time));
        }
    }

    internal Span<float> Begin(int heads, int time)
    {
        (Heads, Time) = (heads, time);
        int count = Rows.Count * heads * time;
        if (_weights.Length < count)
        {
            _weights = new float[count];
        }

        return _weights.AsSpan(0, count);
    }
}
