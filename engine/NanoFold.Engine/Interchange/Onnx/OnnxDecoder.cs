using NanoFold.Engine.FeedForward;
using NanoFold.Engine.Interchange.Exports;
using NanoFold.Engine.Mixers;
using NanoFold.Engine.Model;
using NanoFold.Engine.Modules;
using NanoFold.Engine.Ops;

namespace NanoFold.Engine.Interchange.Onnx;

/// <summary>
/// A dense decoder as a graph: tokens [batch, time] of 64 bits in, logits [batch, time, vocabulary] out, for any number of texts of any length up to the context. What it has of
/// biases, gates and norms it has by its parameters.
/// </summary>
/// <param name="model">Norms before attention and feed-forward, which add to the stream one after the other.</param>
internal sealed class OnnxDecoder(OwnModel model)
{
    private const string Tokens = "tokens", Logits = "logits", Batch = "batch", Time = "time";

    private static readonly float s_gelu = (float)Math.Sqrt(2 / Math.PI);

    private readonly OnnxGraph _graph = new();
    private readonly Dictionary<string, WeightInfo> _weights = model.Weights.ToDictionary(weight => weight.Name, StringComparer.Ordinal);
    private readonly ModelConfig _config = model.Config;

    /// <summary>The graph.</summary>
    public OnnxGraph Build()
    {
        string tokens = _graph.Input(Tokens, OnnxGraph.Int64, Batch, Time), embedding = Weight("model.embed_tokens.weight");
        string x = _graph.Node("Gather", [embedding, tokens], ("axis", 0L)), time = _graph.Node("Shape", [tokens], ("start", 1L), ("end", 2L));
        if (_config.Position == PositionKind.Learned)
        {
            x = Add(x, First(Weight("model.embed_positions.weight"), time));
        }

        IReadOnlyList<LayerConfig> layers = _config.LayerConfigs();
        Dictionary<int, string> masks = [];
        int turned = layers[0].Mixer is AttentionFamilyConfig { RopeDim: > 0 } part ? part.RopeDim : _config.HeadDim;
        (string Cos, string Sin)? angles = _config.Position == PositionKind.Rope ? Angles(turned, time) : null;
        for (int layer = 0; layer < layers.Count; layer++)
        {
            int window = layers[layer].Mixer is SlidingWindowConfig sliding ? sliding.Window : 0;
            if (!masks.TryGetValue(window, out string? mask))
            {
                masks.Add(window, mask = Mask(time, window));
            }

            string name = $"model.layers.{layer}";
            bool turns = layers[layer].Mixer is not AttentionFamilyConfig { Rope: false };
            x = Add(x, Attention($"{name}.self_attn", Norm(x, $"{name}.input_layernorm"), mask, turns ? angles : null, turned));
            x = Add(x, FeedForward($"{name}.mlp", Norm(x, $"{name}.post_attention_layernorm"), layers[layer].FeedForward));
        }

        x = Norm(x, "model.norm");
        string logits = _config.Tied ? _graph.Node("MatMul", [x, _graph.Node("Transpose", [embedding], ("perm", new[] { 1L, 0L }))]) : Linear(x, "lm_head");
        _graph.NodeTo(Logits, "Identity", [logits]);
        _graph.Output(Logits, OnnxGraph.Float, Batch, Time, $"{_config.Vocab}");
        return _graph;
    }

    // Queries [B, G, R, T, D] of R heads for each of G of keys and values [B, G, 1, T, D].
    private string Attention(string name, string x, string mask, (string Cos, string Sin)? angles, int turned)
    {
        long groups = _config.KvHeads, each = _config.Heads / _config.KvHeads, width = _config.HeadDim;
        string queries = Heads("q_proj", "q_norm", groups * each, angles), keys = Heads("k_proj", "k_norm", groups, angles), values = Heads("v_proj", "none", groups, null);
        queries = Split(queries, each, 0, 2, 3, 1, 4);
        string scores = _graph.Node("MatMul", [queries, Split(keys, 1, 0, 2, 3, 4, 1)]);
        scores = _graph.Node("Mul", [scores, _graph.Scalar((float)(_config.ScoreScale > 0 ? _config.ScoreScale : 1 / Math.Sqrt(width)))]);
        string shares = _graph.Node("Softmax", [Add(scores, mask)], ("axis", -1L));
        string mixed = _graph.Node("Transpose", [_graph.Node("MatMul", [shares, Split(values, 1, 0, 2, 3, 1, 4)])], ("perm", new[] { 0L, 3, 1, 2, 4 }));
        return Linear(_graph.Node("Reshape", [mixed, _graph.List(0, 0, groups * each * width)]), $"{name}.o_proj");

        string Heads(string matrix, string norm, long count, (string, string)? turning)
        {
            string heads = _graph.Node("Reshape", [Linear(x, $"{name}.{matrix}"), _graph.List(0, 0, count, width)]);
            heads = _weights.ContainsKey($"{name}.{norm}.weight") ? Norm(heads, $"{name}.{norm}", _config.QkNormKind) : heads;
            return turning is { } given ? Turned(heads, given, turned) : heads;
        }

        string Split(string heads, long inGroup, params long[] order) =>
            _graph.Node("Transpose", [_graph.Node("Reshape", [heads, _graph.List(0, 0, groups, inGroup, width)])], ("perm", order));
    }

    private string FeedForward(string name, string x, FeedForwardConfig kind)
    {
        string up = Linear(x, $"{name}.up_proj");
        bool isGated = _weights.ContainsKey($"{name}.gate_proj.weight");
        string active = Activation(kind, isGated ? Linear(x, $"{name}.gate_proj") : up);
        return Linear(isGated ? _graph.Node("Mul", [active, up]) : active, $"{name}.down_proj");
    }

    private string Activation(FeedForwardConfig kind, string x)
    {
        switch (kind)
        {
            case ReluConfig:
                return _graph.Node("Relu", [x]);
            case Relu2Config:
                string relu = _graph.Node("Relu", [x]);
                return _graph.Node("Mul", [relu, relu]);
            case SwiGluConfig:
                return _graph.Node("Mul", [x, _graph.Node("Sigmoid", [x])]);
            case GeluConfig or GeGluConfig:
                return Halved(x, _graph.Node("Erf", [_graph.Node("Mul", [x, _graph.Scalar((float)Math.Sqrt(0.5))])]));
            default:
                string cube = _graph.Node("Mul", [_graph.Node("Mul", [x, x]), x]), inner = Add(x, _graph.Node("Mul", [cube, _graph.Scalar(0.044715f)]));
                return Halved(x, _graph.Node("Tanh", [_graph.Node("Mul", [inner, _graph.Scalar(s_gelu)])]));
        }
    }

    // x / 2 · (1 + y).
    private string Halved(string x, string y) => _graph.Node("Mul", [_graph.Node("Mul", [x, _graph.Scalar(0.5f)]), Add(y, _graph.Scalar(1f))]);

    // The halves of the first elements of each head turn together; x [B, T, H, D], angles [1, T, 1, R/2].
    private string Turned(string x, (string Cos, string Sin) angles, int turned)
    {
        string a = Part(0, turned / 2), b = Part(turned / 2, turned);
        string first = _graph.Node("Sub", [_graph.Node("Mul", [a, angles.Cos]), _graph.Node("Mul", [b, angles.Sin])]);
        string second = Add(_graph.Node("Mul", [b, angles.Cos]), _graph.Node("Mul", [a, angles.Sin]));
        return _graph.Node("Concat", turned < _config.HeadDim ? [first, second, Part(turned, _config.HeadDim)] : [first, second], ("axis", -1L));

        string Part(int from, int to) => _graph.Node("Slice", [x, _graph.List(from), _graph.List(to), _graph.List(3)]);
    }

    private (string Cos, string Sin) Angles(int turned, string time)
    {
        double[] frequencies = _config.RopeScaling.Frequencies(new RopeAngles(_config.RopeBase, turned, _config.Context), _config.Context);
        double[] table = RopeTable.Compute(_config.Context, frequencies, _config.RopeScaling.FactorOn);
        return (Rows("cosines", 0), Rows("sines", turned / 2));

        string Rows(string name, int start)
        {
            int half = turned / 2;
            float[] values = [.. Enumerable.Range(0, _config.Context * half).Select(i => (float)table[(i / half * turned) + start + (i % half)])];
            return First(_graph.Constant(name, [_config.Context, 1, half], values), time);
        }
    }

    // 0 where a place sees another, and otherwise minus infinity; [T, T].
    private string Mask(string time, int window)
    {
        string places = _graph.Node("Range", [_graph.Scalar(0L), _graph.Node("Squeeze", [time]), _graph.Scalar(1L)]);
        string back = _graph.Node("Sub", [_graph.Node("Unsqueeze", [places, _graph.List(1)]), _graph.Node("Unsqueeze", [places, _graph.List(0)])]);
        string seen = _graph.Node("GreaterOrEqual", [back, _graph.Scalar(0L)]);
        seen = window > 0 ? _graph.Node("And", [seen, _graph.Node("Less", [back, _graph.Scalar((long)window)])]) : seen;
        return _graph.Node("Where", [seen, _graph.Scalar(0f), _graph.Scalar(float.NegativeInfinity)]);
    }

    private string Norm(string x, string name, NormKind? kind = null)
    {
        string gain = Weight($"{name}.weight");
        if ((kind ?? _config.Norm) == NormKind.Layer)
        {
            return _graph.Node("LayerNormalization", _weights.ContainsKey($"{name}.bias") ? [x, gain, Weight($"{name}.bias")] : [x, gain], ("axis", -1L), ("epsilon", (float)_config.NormEpsilon));
        }

        string square = _graph.Node("ReduceMean", [_graph.Node("Mul", [x, x])], ("axes", new[] { -1L }), ("keepdims", 1L));
        return _graph.Node("Mul", [_graph.Node("Div", [x, _graph.Node("Sqrt", [Add(square, _graph.Scalar((float)_config.NormEpsilon))])]), gain]);
    }

    private string Linear(string x, string name)
    {
        WeightInfo matrix = _weights[$"{name}.weight"];
        (int rows, int columns) = (matrix.Shape[0], matrix.Shape[1]);
        float[] values = model.Read(matrix.Name), turned = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            turned[(i % columns * rows) + (i / columns)] = values[i];
        }

        string y = _graph.Node("MatMul", [x, _graph.Constant(matrix.Name, [columns, rows], turned)]);
        return _weights.ContainsKey($"{name}.bias") ? Add(y, Weight($"{name}.bias")) : y;
    }

    private string Weight(string name) => _graph.Constant(name, [.. _weights[name].Shape.Select(extent => (long)extent)], model.Read(name));

    private string First(string rows, string time) => _graph.Node("Slice", [rows, _graph.List(0), time, _graph.List(0)]);

    private string Add(string a, string b) => _graph.Node("Add", [a, b]);
}
