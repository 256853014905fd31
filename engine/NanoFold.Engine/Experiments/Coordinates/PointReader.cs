using NanoFold.Engine.Autograd;

namespace NanoFold.Engine.Experiments.Coordinates;

/// <summary>Reads the values of a point, of all layers, and keeps those of the first pass.</summary>
internal sealed class PointReader(string pattern) : ITapReader
{
    private static readonly string[] s_patterns = ["hook_embed", "blocks.*.hook_attn_out", "blocks.*.hook_mlp_out", "blocks.*.hook_resid_post", "*_residual.hook_weights", "hook_logits", "hook_outputs"];

    // By point and micro-batch, in the order in which passes have them.
    private readonly List<float[]> _first = [];
    private int _index;
    private double _size, _change;
    private long _count;
    private bool _isLater;

    /// <summary>What is looked at.</summary>
    public static IReadOnlyList<string> Patterns => s_patterns;

    public string Pattern => pattern;

    public bool IsOptional => true;

    /// <summary>Whether the model has such a point.</summary>
    public bool HasValues => _count > 0;

    public static int Order(string point) => Array.FindIndex(s_patterns, known => NameOf(known) == point);

    public void Read(TapValue value)
    {
        float[] values = value.ToArray();
        if (!_isLater)
        {
            _first.Add(values);
        }

        float[] first = _first[_index++];
        for (int i = 0; i < values.Length; i++)
        {
            _size += Math.Abs(values[i]);
            _change += Math.Abs(values[i] - first[i]);
        }

        _count += values.Length;
    }

    /// <summary>The figures of a pass over all rows, after which the next one begins.</summary>
    public CoordinatePoint Take(int width, int step)
    {
        var point = new CoordinatePoint(NameOf(pattern), width, step, _size / _count, _change / _count);
        (_size, _change, _count, _index, _isLater) = (0, 0, 0, 0, true);
        return point;
    }

    private static string NameOf(string pattern) => pattern[(pattern.LastIndexOf('.') + 1)..];
}
