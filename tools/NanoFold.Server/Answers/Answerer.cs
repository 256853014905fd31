using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Threading.Channels;
using NanoFold.Engine;
using NanoFold.Engine.Generation.Batching;
using NanoFold.Engine.Text;
using NanoFold.Server.Requests;

namespace NanoFold.Server.Answers;

/// <summary>Tells of a job in a shape: when it has ended, or as it goes on.</summary>
internal sealed class Answerer(DecodeThread decode, Tokenizer tokenizer, ServerMetrics metrics)
{
    /// <summary>JSON as it is sent.</summary>
    public static readonly JsonSerializerOptions Line = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Waits for all texts of a job.</summary>
    /// <exception cref="ApiException">A text failed.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public async Task<JsonObject> Whole(TextJob job, AnswerShape shape, CancellationToken cancel)
    {
        long started = Stopwatch.GetTimestamp();
        Choice[] choices = NewChoices(job);
        // Where one text fails, or nobody waits any more, the others end too.
        using var left = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            ChannelReader<JobEvent> events = decode.Start(job, left.Token);
            bool isFirst = true;
            await foreach (JobEvent happened in events.ReadAllAsync(cancel).ConfigureAwait(false))
            {
                isFirst = Time(happened, isFirst, started);
                choices[happened.Choice].Take(happened, cancel);
            }
        }
        finally
        {
            left.Cancel();
        }

        metrics.AddAnswer(started);
        return shape.Whole(
            choices.Select((choice, i) => shape.Choice(i, job.Echoes[i] + choice.End!.Text, choice.Scores(shape), AnswerShape.Finish(choice.End.Finish!.Value))),
            AnswerShape.Usage(job.PromptTokens, choices.Sum(choice => choice.End!.Tokens)));
    }

    /// <summary>The lines of data of server-sent events, as they come.</summary>
    public async IAsyncEnumerable<string> Events(TextJob job, AnswerShape shape, [EnumeratorCancellation] CancellationToken cancel)
    {
        long started = Stopwatch.GetTimestamp();
        Choice[] choices = NewChoices(job);
        // Whoever leaves before the end takes the texts with him.
        using var left = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        try
        {
            ChannelReader<JobEvent> events = decode.Start(job, left.Token);
            for (int i = 0; i < choices.Length; i++)
            {
                if (shape.FirstPiece(i) is { } first)
                {
                    yield return Text(shape.Event(first));
                }

                if (job.Echoes[i].Length > 0)
                {
                    yield return Text(shape.Event(shape.Piece(i, job.Echoes[i], null, null)));
                }
            }

            bool isFirst = true;
            await foreach (JobEvent happened in events.ReadAllAsync(cancel).ConfigureAwait(false))
            {
                isFirst = Time(happened, isFirst, started);
                Choice choice = choices[happened.Choice];
                ApiException? fault = null;
                try
                {
                    choice.Take(happened, cancel);
                }
                catch (ApiException e)
                {
                    fault = e;
                }

                if (fault is not null)
                {
                    yield return Text(ErrorAnswer.Body(fault));
                    yield break;
                }

                string text = happened.Token.Text ?? "";
                if (happened.End is { } end)
                {
                    // What was held back for a stop that never came is part of the last token's text already.
                    yield return Text(shape.Event(shape.Piece(happened.Choice, "", choice.Scores(shape), AnswerShape.Finish(end.Finish!.Value))));
                }
                else if (text.Length > 0)
                {
                    yield return Text(shape.Event(shape.Piece(happened.Choice, text, choice.Scores(shape), null)));
                }
            }

            if (job.Fields.IncludesUsage)
            {
                yield return Text(shape.Event(null, AnswerShape.Usage(job.PromptTokens, choices.Sum(choice => choice.End!.Tokens))));
            }

            metrics.AddAnswer(started);
            yield return "[DONE]";
        }
        finally
        {
            left.Cancel();
        }
    }

    private static string Text(JsonObject answer) => FiniteJson.Clean(answer)!.ToJsonString(Line);

    private Choice[] NewChoices(TextJob job) => [.. job.Texts.Select(text => new Choice(tokenizer, text.Likeliest is not null))];

    private bool Time(JobEvent happened, bool isFirst, long started)
    {
        if (isFirst && happened.End is null)
        {
            metrics.AddFirstToken(started);
            return false;
        }

        return isFirst;
    }

    /// <summary>One text of the job: what was not told of yet, and its end.</summary>
    /// <param name="tokenizer">Of its tokens.</param>
    /// <param name="hasScores">Whether log-probabilities are told.</param>
    private sealed class Choice(Tokenizer tokenizer, bool hasScores)
    {
        private readonly List<(WrittenToken Token, int Place)> _untold = [];
        private readonly Utf8Stream _characters = new();
        private int _place;

        public WrittenText? End { get; private set; }

        public void Take(JobEvent happened, CancellationToken cancel)
        {
            if (happened.End is not { } end)
            {
                if (hasScores)
                {
                    _untold.Add((happened.Token, _place));
                    // In code points, as whoever asks from Python counts.
                    _place += _characters.Write(tokenizer.BytesOf(happened.Token.Token)).EnumerateRunes().Count();
                }

                return;
            }

            End = end;
            if (end.Fault is { } fault)
            {
                throw new ApiException(500, fault is UserException ? fault.Message : $"{fault.GetType().Name} (a fault of this program)");
            }

            if (end.Finish is null)
            {
                cancel.ThrowIfCancellationRequested();
                throw ApiException.Ended();
            }
        }

        /// <summary>Those of the tokens since the last time; null where none were asked for, or there are none.</summary>
        public JsonNode? Scores(AnswerShape shape)
        {
            if (_untold.Count == 0)
            {
                return null;
            }

            JsonNode scores = shape.Scores(tokenizer, _untold);
            _untold.Clear();
            return scores;
        }
    }
}
