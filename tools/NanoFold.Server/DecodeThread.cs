using System.Threading.Channels;
using NanoFold.Engine.Generation.Batching;
using NanoFold.Server.Requests;

namespace NanoFold.Server;

/// <summary>What a text of a job told: a token, or its end.</summary>
internal readonly record struct JobEvent(int Choice, WrittenToken Token, WrittenText? End);

/// <summary>The thread that decodes, and the way to it.</summary>
internal sealed class DecodeThread : IDisposable
{
    private readonly TextBatch _batch;
    private readonly ServerMetrics _metrics;
    private readonly Action<string> _note;
    private readonly CancellationTokenSource _stop = new();
    private readonly Thread _thread;
    private volatile bool _hasFailed;

    public DecodeThread(ServedModel served, ServerOptions options, ServerMetrics metrics)
    {
        _batch = new TextBatch(served.Model, served.Tokenizer, options.Streams);
        (_metrics, _note) = (metrics, options.Note);
        _thread = new Thread(Run) { Name = "decode", IsBackground = true };
        _thread.Start();
    }

    /// <summary>Whether texts are still written.</summary>
    public bool IsAlive => !_hasFailed;

    /// <summary>Texts that are being written.</summary>
    public int Active => _batch.Active;

    /// <summary>Texts that wait.</summary>
    public int Waiting => _batch.Waiting;

    /// <summary>Bytes of what the layers remember.</summary>
    public long CacheBytes => _batch.CacheBytes;

    /// <summary>Adds the texts of a job and tells what becomes of them, in the order in which it happens, until all have ended.</summary>
    /// <param name="job">What to write.</param>
    /// <param name="cancel">Ends all of them.</param>
    public ChannelReader<JobEvent> Start(TextJob job, CancellationToken cancel)
    {
        var events = Channel.CreateUnbounded<JobEvent>(new UnboundedChannelOptions { SingleReader = true });
        int left = job.Texts.Count;
        _metrics.AddPrompt(job.PromptTokens);
        for (int i = 0; i < job.Texts.Count; i++)
        {
            int choice = i;
            _batch.Add(job.Texts[i] with
            {
                Cancel = cancel,
                OnToken = token =>
                {
                    _metrics.AddToken();
                    events.Writer.TryWrite(new JobEvent(choice, token, null));
                },
                OnEnd = end =>
                {
                    events.Writer.TryWrite(new JobEvent(choice, default, end));
                    if (Interlocked.Decrement(ref left) == 0)
                    {
                        events.Writer.Complete();
                    }
                },
            });
        }

        return events.Reader;
    }

    public void Dispose()
    {
        _stop.Cancel();
        _thread.Join();
        _batch.Dispose();
        _stop.Dispose();
    }

    private void Run()
    {
        try
        {
            _batch.Run(_stop.Token);
        }
        catch (Exception e)
        {
            // Whoever waited was told.
            _hasFailed = true;
            _note($"decoding ended: {e.GetType().Name}: {e.Message}");
        }
    }
}
