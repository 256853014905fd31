using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace NanoFold.Server;

/// <summary>What was done since the start, in the text format of Prometheus (version 0.0.4).</summary>
internal sealed class ServerMetrics
{
    private readonly ConcurrentDictionary<(string Path, int Status), long> _requests = new();
    private long _promptTokens, _tokens, _answers, _answerTicks, _firsts, _firstTicks;

    /// <summary>Requests that were answered.</summary>
    public long Requests => _requests.Values.Sum();

    public long PromptTokens => Interlocked.Read(ref _promptTokens);

    /// <summary>Tokens written.</summary>
    public long Tokens => Interlocked.Read(ref _tokens);

    public void AddPrompt(int tokens) => Interlocked.Add(ref _promptTokens, tokens);

    public void AddToken() => Interlocked.Increment(ref _tokens);

    public void AddRequest(string path, int status) => _requests.AddOrUpdate((path, status), 1, static (_, count) => count + 1);

    /// <summary>The time from a request to the first token of its answer.</summary>
    public void AddFirstToken(long started)
    {
        Interlocked.Increment(ref _firsts);
        Interlocked.Add(ref _firstTicks, Stopwatch.GetTimestamp() - started);
    }

    /// <summary>The time from a request to the end of its answer.</summary>
    public void AddAnswer(long started)
    {
        Interlocked.Increment(ref _answers);
        Interlocked.Add(ref _answerTicks, Stopwatch.GetTimestamp() - started);
    }

    /// <summary>Seconds that an answer took so far, on average; 1 where there is none yet.</summary>
    public double MeanSeconds => Interlocked.Read(ref _answers) is > 0 and var answers ? Seconds(Interlocked.Read(ref _answerTicks)) / answers : 1;

    public string ToText(DecodeThread decode, ServerOptions options)
    {
        var text = new StringBuilder();
        Head("nanofold_requests_total", "counter", "Requests answered, by path and status.");
        foreach (((string path, int status), long count) in _requests.OrderBy(request => request.Key.Path, StringComparer.Ordinal).ThenBy(request => request.Key.Status))
        {
            Line($"nanofold_requests_total{{path=\"{path}\",status=\"{status}\"}}", count);
        }

        Head("nanofold_tokens_total", "counter", "Tokens of prompts taken in, and tokens written.");
        Line("nanofold_tokens_total{kind=\"prompt\"}", PromptTokens);
        Line("nanofold_tokens_total{kind=\"completion\"}", Tokens);
        Head("nanofold_texts", "gauge", "Texts that are being written, and those that wait.");
        Line("nanofold_texts{state=\"active\"}", decode.Active);
        Line("nanofold_texts{state=\"waiting\"}", decode.Waiting);
        Head("nanofold_streams", "gauge", "Texts that are written at a time at most.");
        Line("nanofold_streams", options.Streams);
        Head("nanofold_queue", "gauge", "Requests that may wait besides.");
        Line("nanofold_queue", options.Queue);
        Head("nanofold_answer_seconds", "summary", "From a request to the end of its answer.");
        Line("nanofold_answer_seconds_sum", Seconds(Interlocked.Read(ref _answerTicks)));
        Line("nanofold_answer_seconds_count", Interlocked.Read(ref _answers));
        Head("nanofold_first_token_seconds", "summary", "From a request to the first token of its answer.");
        Line("nanofold_first_token_seconds_sum", Seconds(Interlocked.Read(ref _firstTicks)));
        Line("nanofold_first_token_seconds_count", Interlocked.Read(ref _firsts));
        Head("nanofold_cache_bytes", "gauge", "What the layers remember of all texts that may be written at a time.");
        Line("nanofold_cache_bytes", decode.CacheBytes);
        Head("process_resident_memory_bytes", "gauge", "Memory of the process.");
        Line("process_resident_memory_bytes", Environment.WorkingSet);
        return text.ToString();

        void Head(string name, string type, string help) => text.Append("# HELP ").Append(name).Append(' ').Append(help).Append("\n# TYPE ").Append(name).Append(' ').Append(type).Append('\n');

        void Line(string name, double value) => text.Append(name).Append(' ').Append(value.ToString("R", CultureInfo.InvariantCulture)).Append('\n');
    }

    private static double Seconds(long ticks) => ticks / (double)Stopwatch.Frequency;
}
