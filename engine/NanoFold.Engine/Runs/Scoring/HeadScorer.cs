using NanoFold.Engine.Autograd;
using NanoFold.Engine.Model;
using NanoFold.Engine.Tensors;
using NanoFold.Kernels;

namespace NanoFold.Engine.Runs.Scoring;

/// <summary>The head of a model alone, on chosen places of its stream, so that logits are never there for all places of a batch.</summary>
internal sealed class HeadScorer : IDisposable
{
    // Of logits at a time: 64 MB.
    private const int MostLogits = 1 << 24;
    private const int MostRows = 256;

    private readonly Backend _backend;
    private readonly SharedArena _arena;
    private readonly StepState _state;
    private readonly DeviceBuffer _buffer;
    private readonly View _input;
    private readonly Tensor _logits;
    private readonly Plan _plan;
    private readonly TokenDistribution _distribution;
    private readonly float[] _places;
    private readonly float[] _values;
    private readonly int _rows;
    private readonly int _width;

    /// <param name="model">Whose.</param>
    /// <param name="arena">Shared with what does not run at the same time.</param>
    public HeadScorer(Transformer model, SharedArena arena)
    {
        (_backend, _arena, _width) = (model.Backend, arena, model.Config.Width);
        int vocab = model.Config.Vocab;
        _rows = Math.Clamp(MostLogits / vocab, 1, MostRows);
        _places = new float[_rows * _width];
        _values = new float[_rows * vocab];
        _distribution = new TokenDistribution(vocab);
        _state = _backend.NewState();
        _buffer = _backend.Allocate((long)_places.Length * sizeof(float));
        _input = new View(_buffer, 0, Layout.Of(1, _rows, _width), DType.Float32);
        var tape = new Tape(_backend) { State = _state };
        _logits = model.Language.Logits(tape, tape.External("stream", _input));
        tape.Keep(_logits);
        _plan = new Plan(tape);
    }

    /// <summary>Scores tokens after places of a stream.</summary>
    /// <param name="stream">The normed stream, [.., C].</param>
    /// <param name="places">Which of its places.</param>
    /// <param name="tokens">The token after each.</param>
    /// <param name="scores">Where they go.</param>
    public void Score(ReadOnlySpan<float> stream, ReadOnlySpan<int> places, ReadOnlySpan<int> tokens, Span<TokenScore> scores)
    {
        for (int first = 0; first < places.Length; first += _rows)
        {
            int count = Math.Min(_rows, places.Length - first);
            for (int i = 0; i < count; i++)
            {
                stream.Slice(places[first + i] * _width, _width).CopyTo(_places.AsSpan(i * _width));
            }

            _backend.Write(_places, _input);
            _arena.Bind(_plan);
            _plan.Run();
            _backend.Read(_plan[_logits], _values);
            int vocab = _values.Length / _rows;
            for (int i = 0; i < count; i++)
            {
                scores[first + i] = _distribution.Score(_values.AsSpan(i * vocab, vocab), tokens[first + i]);
            }
        }
    }

    public void Dispose()
    {
        _plan.Dispose();
        _buffer.Dispose();
        _state.Dispose();
    }
}
