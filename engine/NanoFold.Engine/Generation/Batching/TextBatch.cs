using System.Collections.Concurrent;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Generation.Batching;

/// <summary>
/// Writes texts side by side. A request takes a free row between two steps, in the order in which requests came, and leaves it after its last token (continuous
/// batching: Yu et al., "Orca", OSDI 2022). While prompts are read, a chunk of one alternates with a step of all others. On a device that keeps rows apart
/// (<see cref="Kernels.Backend.KeepsSequencesApart"/>) each text is the one that a <see cref="Generator"/> writes alone.
/// </summary>
/// <remarks>Requests are added by any thread; one thread at a time runs it.</remarks>
public sealed class TextBatch : IDisposable
{
    private readonly Transformer _model;
    private readonly Tokenizer _tokenizer;
    private readonly BatchDecoder _decoder;
    private readonly TextStream?[] _streams;
    private readonly ConcurrentQueue<TextRequest> _waiting = new();
    private readonly AutoResetEvent _added = new(false);
    private readonly Lock _gate = new();
    private readonly float[] _logits;
    private int _active;
    private bool _isClosed;

    /// <param name="model">In float32; not disposed here.</param>
    /// <param name="tokenizer">The one that the model was trained with.</param>
    /// <param name="rows">Texts at a time at most.</param>
    /// <exception cref="UserException">The tokenizer has tokens that the model does not know, or the model cannot be decoded.</exception>
    public TextBatch(Transformer model, Tokenizer tokenizer, int rows)
    {
        Generator.RequireFit(model, tokenizer);
        _model = model;
        _tokenizer = tokenizer;
        _decoder = new BatchDecoder(model, rows);
        _streams = new TextStream?[rows];
        _logits = new float[model.Config.Vocab];
    }

    /// <summary>Texts at a time at most.</summary>
    public int Rows => _streams.Length;

    /// <summary>Requests in a row.</summary>
    public int Active => Volatile.Read(ref _active);

    /// <summary>Requests that wait for a row.</summary>
    public int Waiting => _waiting.Count;

    /// <summary>Bytes of what the layers remember.</summary>
    public long CacheBytes => _decoder.CacheBytes;

    /// <summary>Adds a request. After <see cref="Run"/> has ended, it ends at once as cancelled.</summary>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    /// <exception cref="ArgumentException">The prompt is empty or has a token that the model does not know.</exception>
    public void Add(TextRequest request)
    {
        OptionCheck.Validate(request.Options, _model.Config.Context);
        if (request.Prompt.Count == 0 || request.Prompt.Any(token => (uint)token >= (uint)_model.Config.Vocab))
        {
            throw new ArgumentException($"batch: a prompt of {request.Prompt.Count} tokens; expected at least one, each in [0, {_model.Config.Vocab})");
        }

        lock (_gate)
        {
            if (!_isClosed)
            {
                _waiting.Enqueue(request);
                _added.Set();
                return;
            }
        }

        request.OnEnd(new WrittenText("", 0, Finish: null));
    }

    /// <summary>Runs until it is stopped, and waits where there is nothing to do; what is not finished then ends as cancelled, or with the fault that this ends with. It runs once.</summary>
    public void Run(CancellationToken stop)
    {
        WaitHandle[] handles = [_added, stop.WaitHandle];
        Exception? fault = null;
        try
        {
            while (!stop.IsCancellationRequested)
            {
                if (!Turn())
                {
                    WaitHandle.WaitAny(handles);
                }
            }
        }
        catch (Exception e)
        {
            fault = e;
            throw;
        }
        finally
        {
            Close(fault);
        }
    }

    /// <summary>Lets requests join and leave, reads a chunk of a prompt and takes a step of all others.</summary>
    /// <returns>Whether there was anything to do.</returns>
    public bool Turn()
    {
        Leave(stream => stream.IsCancelled);
        Join();
        bool any = _decoder.ReadChunk() > 0;
        if (any)
        {
            Draw();
        }

        if (_decoder.Step() > 0)
        {
            any = true;
            Draw();
        }

        return any;
    }

    public void Dispose()
    {
        _decoder.Dispose();
        _added.Dispose();
    }

    private void Close(Exception? fault)
    {
        lock (_gate)
        {
            _isClosed = true;
        }

        Leave(_ => true, fault);
        while (_waiting.TryDequeue(out TextRequest? request))
        {
            request.OnEnd(new WrittenText("", 0, Finish: null, fault));
        }
    }

    private void Join()
    {
        for (int row = 0; row < _streams.Length; row++)
        {
            while (_streams[row] is null && _waiting.TryDequeue(out TextRequest? request))
            {
                if (request.Cancel.IsCancellationRequested)
                {
                    request.OnEnd(new WrittenText("", 0, Finish: null));
                    continue;
                }

                var stream = new TextStream(request, _tokenizer);
                _streams[row] = stream;
                Volatile.Write(ref _active, _active + 1);
                stream.Begin(_decoder, row);
            }
        }
    }

    private void Leave(Func<TextStream, bool> which, Exception? fault = null)
    {
        for (int row = 0; row < _streams.Length; row++)
        {
            if (_streams[row] is { } stream && which(stream))
            {
                Free(row, stream, fault);
            }
        }
    }

    private void Draw()
    {
        for (int row = 0; row < _streams.Length; row++)
        {
            if (_streams[row] is not { } stream || !_decoder.HasLogits(row))
            {
                continue;
            }

            try
            {
                _decoder.ReadLogits(row, _logits);
                int token = stream.Draw(_logits);
                if (stream.HasEnded)
                {
                    Free(row, stream);
                }
                else
                {
                    _decoder.Append(row, token);
                }
            }
            catch (UserException e)
            {
                // Logits that are no numbers; the others go on.
                Free(row, stream, e);
            }
        }
    }

    private void Free(int row, TextStream stream, Exception? fault = null)
    {
        _decoder.End(row);
        _streams[row] = null;
        Volatile.Write(ref _active, _active - 1);
        stream.End(fault);
    }
}
