using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Tests.Generation;

/// <summary>Decoding without a cache, the plain way: all tokens pass through the model for each new one.</summary>
internal sealed class FullPass : IDisposable
{
    private readonly Transformer _model;
    private readonly DeviceBuffer _tokens;
    private readonly DeviceBuffer _arena;
    private readonly View _input;
    private readonly Plan _plan;
    private readonly Tensor _logits;

    public FullPass(Transformer model, TapSet? taps = null)
    {
        _model = model;
        int context = model.Config.Context;
        _tokens = model.Backend.Allocate(context * sizeof(int));
        _input = new View(_tokens, 0, Layout.Of(1, context), DType.Int32);
        var tape = new Tape(model.Backend, taps: taps);
        _logits = model.RecordLogits(tape, tape.External("tokens", _input));
        tape.Keep(_logits);
        _plan = new Plan(tape);
        _arena = model.Backend.Allocate(_plan.ArenaBytes);
        _plan.Bind(_arena);
    }

    /// <summary>Logits [V] after the last of at most T tokens.</summary>
    public float[] Logits(IReadOnlyList<int> tokens)
    {
        // What stands behind the tokens is not seen by them.
        int[] padded = [.. tokens, .. new int[_model.Config.Context - tokens.Count]];
        _model.Backend.Upload<int>(padded, _input);
        _plan.Run();
        int vocab = _model.Config.Vocab;
        var logits = new float[vocab];
        _model.Backend.Download(_plan[_logits].With(Layout.Of(vocab), (tokens.Count - 1) * vocab), logits.AsSpan());
        return logits;
    }

    /// <summary>The likeliest tokens after a prompt; a full context goes on with its first tokens, where they are kept, and the last half of the others.</summary>
    public int[] Greedy(IReadOnlyList<int> prompt, int count, int keep = 0)
    {
        List<int> seen = Seen(prompt, [], keep);
        var output = new int[count];
        for (int i = 0; i < count; i++)
        {
            float[] logits = Logits(seen);
            output[i] = Array.IndexOf(logits, logits.Max());
            seen = Seen(seen, [output[i]], keep);
        }

        return output;
    }

    /// <summary>What is passed through the model for the next token, after a prompt and tokens that it went on with.</summary>
    public List<int> Seen(IReadOnlyList<int> prompt, IEnumerable<int> output, int keep = 0)
    {
        int context = _model.Config.Context;
        List<int> seen = [.. prompt.TakeLast(context)];
        foreach (int token in output)
        {
            seen.Add(token);
            if (seen.Count > context)
            {
                seen = [.. seen.Take(keep), .. seen.TakeLast(Math.Max(1, (context - keep) / 2))];
            }
        }

        return seen;
    }

    public void Dispose()
    {
        _arena.Dispose();
        _tokens.Dispose();
    }
}
