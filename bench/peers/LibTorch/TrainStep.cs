using System.Diagnostics;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace NanoFold.Peers;

/// <summary>
/// The decoder of the presets and a step of its training, as in torch_model.py: pre-norm RMSNorm, rotary positions (half-split), SwiGLU, causal attention
/// by the fused kernel, untied head, no biases, float32; clipping by the norm, AdamW.
/// </summary>
internal static class TrainStep
{
    private const int Vocab = 256, WarmUp = 3;

    public static double TokensPerSecond(string preset, int steps)
    {
        Shape shape = Shape.Of(preset);
        using var model = new Decoder(shape, Vocab);
        Parameter[] all = [.. model.parameters()];
        var groups = new[]
        {
            new AdamW.ParamGroup([.. all.Where(p => p.dim() >= 2)], lr: 1e-3, beta1: 0.9, beta2: 0.99, weight_decay: 0.1),
            new AdamW.ParamGroup([.. all.Where(p => p.dim() < 2)], lr: 1e-3, beta1: 0.9, beta2: 0.99, weight_decay: 0),
        };
        using AdamW optimizer = optim.AdamW(groups);
        using Tensor tokens = randint(0, Vocab, [shape.Batch, shape.Context + 1], ScalarType.Int64);
        var seconds = new List<double>();
        for (int i = 0; i < steps + WarmUp; i++)
        {
            using DisposeScope scope = NewDisposeScope();
            long started = Stopwatch.GetTimestamp();
            optimizer.zero_grad();
            Tensor logits = model.forward(tokens[.., ..^1]);
            Tensor loss = nn.functional.cross_entropy(logits.view(-1, Vocab), tokens[.., 1..].reshape(-1));
            loss.backward();
            nn.utils.clip_grad_norm_(all, 1.0);
            optimizer.step();
            _ = loss.item<float>();
            if (i >= WarmUp)
            {
                seconds.Add(Stopwatch.GetElapsedTime(started).TotalSeconds);
            }
        }

        seconds.Sort();
        double median = (seconds[seconds.Count / 2] + seconds[(seconds.Count - 1) / 2]) / 2;
        return shape.Batch * shape.Context / median;
    }
}

/// <summary>A preset's sizes, as in torch_model.py.</summary>
internal sealed record Shape(int Layers, int Heads, int Width, int Hidden, int Context, int Batch)
{
    public static Shape Of(string preset) => preset switch
    {
        "nano" => new(4, 4, 128, 344, 64, 12),
        "small" => new(6, 6, 384, 1024, 256, 8),
        "gpt2" => new(12, 12, 768, 2048, 1024, 4),
        _ => throw new ArgumentException($"no preset is called '{preset}'"),
    };
}

/// <summary>Tokens [B, T] to logits [B, T, V].</summary>
internal sealed class Decoder : nn.Module<Tensor, Tensor>
{
    private readonly Embedding _embed;
    private readonly ModuleList<Block> _blocks;
    private readonly RmsNorm _norm;
    private readonly Linear _head;

    public Decoder(Shape shape, int vocab)
        : base("decoder")
    {
        _embed = nn.Embedding(vocab, shape.Width);
        (Tensor cos, Tensor sin) = Angles(shape);
        _blocks = nn.ModuleList([.. Enumerable.Range(0, shape.Layers).Select(_ => new Block(shape, cos, sin))]);
        _norm = new RmsNorm(shape.Width);
        _head = nn.Linear(shape.Width, vocab, hasBias: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor tokens)
    {
        Tensor x = _embed.forward(tokens);
        foreach (Block block in _blocks)
        {
            x = block.forward(x);
        }

        return _head.forward(_norm.forward(x));
    }

    // [T, D/2] each.
    private static (Tensor Cos, Tensor Sin) Angles(Shape shape)
    {
        int half = shape.Width / shape.Heads / 2;
        Tensor rates = pow(10000.0, arange(half, ScalarType.Float32) * (-1.0 / half)), angles = outer(arange(shape.Context, ScalarType.Float32), rates);
        return (angles.cos(), angles.sin());
    }
}

internal sealed class Block : nn.Module<Tensor, Tensor>
{
    private readonly int _heads;
    private readonly RmsNorm _norm1;
    private readonly RmsNorm _norm2;
    private readonly Linear _qkv;
    private readonly Linear _out;
    private readonly Linear _gate;
    private readonly Linear _up;
    private readonly Linear _down;
    private readonly Tensor _cos;
    private readonly Tensor _sin;

    public Block(Shape shape, Tensor cos, Tensor sin)
        : base("block")
    {
        _heads = shape.Heads;
        (_cos, _sin) = (cos, sin);
        _norm1 = new RmsNorm(shape.Width);
        _norm2 = new RmsNorm(shape.Width);
        _qkv = nn.Linear(shape.Width, 3 * shape.Width, hasBias: false);
        _out = nn.Linear(shape.Width, shape.Width, hasBias: false);
        _gate = nn.Linear(shape.Width, shape.Hidden, hasBias: false);
        _up = nn.Linear(shape.Width, shape.Hidden, hasBias: false);
        _down = nn.Linear(shape.Hidden, shape.Width, hasBias: false);
        RegisterComponents();
    }

    public override Tensor forward(Tensor x)
    {
        long batch = x.shape[0], time = x.shape[1], width = x.shape[2];
        Tensor[] parts = [.. _qkv.forward(_norm1.forward(x)).chunk(3, -1).Select(y => y.view(batch, time, _heads, width / _heads).transpose(1, 2))];
        Tensor y = nn.functional.scaled_dot_product_attention(Rotated(parts[0]), Rotated(parts[1]), parts[2], is_casual: true);
        x = x + _out.forward(y.transpose(1, 2).reshape(batch, time, width));
        Tensor h = _norm2.forward(x);
        return x + _down.forward(nn.functional.silu(_gate.forward(h)) * _up.forward(h));
    }

    private Tensor Rotated(Tensor x)
    {
        Tensor[] halves = x.chunk(2, -1);
        return cat([halves[0] * _cos - halves[1] * _sin, halves[0] * _sin + halves[1] * _cos], -1);
    }
}

/// <summary>x / √(mean(x²) + ε) · g.</summary>
internal sealed class RmsNorm : nn.Module<Tensor, Tensor>
{
    private readonly Parameter _gain;

    public RmsNorm(int width)
        : base("rms-norm")
    {
        _gain = nn.Parameter(ones(width));
        RegisterComponents();
    }

    public override Tensor forward(Tensor x) => x * rsqrt(x.pow(2).mean([-1], keepdim: true) + 1e-5) * _gain;
}
