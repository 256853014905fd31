using System.CommandLine;
using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine;
using NanoFold.Engine.Corpora;
using NanoFold.Engine.Runs;
using NanoFold.Engine.Runs.Evaluations;
using NanoFold.Engine.Runs.Scoring;

namespace NanoFold.Cli.Commands.Evaluations;

/// <summary>How a model is scored token by token, and what questions it is asked.</summary>
internal sealed class ScoringOptions
{
    private readonly Option<long?> _stride;
    private readonly Option<string?> _perToken;
    private readonly Option<string[]> _items;
    private readonly Option<string?> _perItem;
    private readonly Option<long?> _limit;
    private readonly Option<bool> _detokenize;
    private readonly Option<bool> _begins;

    public ScoringOptions(VerbCommand command)
    {
        _stride = command.Integer("--stride", "New tokens of each window that slides over a document, at most the model's context; the fewer, the more each token has before it", 1, 1 << 22);
        _perToken = command.Text("--per-token", "FILE", "Also write a line for each token: document, position, token, text, bytes, nats, rank, entropy, and what was most likely");
        _items = command.Texts("--items", "FILE", "Questions in JSON lines instead of a text, as HellaSwag, ARC, PIQA and LAMBADA are published, or query, choices, gold; or documents (page); may be given several times");
        _perItem = command.Text("--per-item", "FILE", "With --items, also write a line of JSON for each question: what stands before, choices, log-likelihoods, probabilities, answers");
        _limit = command.Integer("--limit", "With --items, only the first questions of each file, so many", 1, int.MaxValue);
        _detokenize = command.Flag("--detokenize", "With --items, join what WikiText set apart in documents before they are scored");
        _begins = command.Flag("--bos", "With --items, begin every context with the token that begins a document, also where the tokenizer does not add it by itself");
    }

    /// <summary>The files of questions.</summary>
    /// <exception cref="UserException">One of them cannot be read; all are read before the first is asked.</exception>
    public ItemFile[] Items(Invocation invocation) => [.. (invocation.Get(_items) ?? []).Select(path => ItemFile.Read(path, (int?)invocation.Get(_limit)))];

    /// <summary>The file for a line each token, or null.</summary>
    public string? PerToken(Invocation invocation) => invocation.Get(_perToken);

    /// <summary>The file for a line each question, or null.</summary>
    public string? PerItem(Invocation invocation) => invocation.Get(_perItem);

    /// <summary>How questions are put.</summary>
    public ItemOptions Asking(Invocation invocation, TrainedModel trained) => new(Stride(invocation, trained), invocation.Get(_begins), invocation.Get(_detokenize));

    /// <summary>Whether questions are asked.</summary>
    /// <exception cref="UserException">They are not, and an option that goes with them was given.</exception>
    public bool AsksQuestions(Invocation invocation)
    {
        string? alone = invocation.Get(_perItem) is not null ? _perItem.Name
            : invocation.Get(_limit) is not null ? _limit.Name
            : invocation.Get(_detokenize) ? _detokenize.Name
            : invocation.Get(_begins) ? _begins.Name
            : null;
        return invocation.Get(_items) is { Length: > 0 } || (alone is null ? false : throw UserException.Usage($"{alone}: goes with --items"));
    }

    /// <summary>The first of the options that was given, or null.</summary>
    public string? Given(Invocation invocation)
        => invocation.Get(_stride) is not null ? _stride.Name : invocation.Get(_perToken) is not null ? _perToken.Name : null;

    /// <summary>Throws where <see cref="Score"/> would, before a text is read.</summary>
    /// <exception cref="UserException">The stride is longer than the context, or the file cannot be written.</exception>
    public void Require(Invocation invocation, TrainedModel trained)
    {
        Stride(invocation, trained);
        if (PerToken(invocation) is { } file)
        {
            OutputFile.Require(file, _perToken.Name);
        }
    }

    /// <summary>Scores the tokens of a text where that was asked for.</summary>
    /// <returns>Null where it was not.</returns>
    public TextScores? Score(Invocation invocation, TrainedModel trained, Corpus corpus, TextPart part)
    {
        int? stride = Stride(invocation, trained);
        if (PerToken(invocation) is not { } file)
        {
            return stride is null ? null : trained.ScoreTokens(corpus, part, stride, each: null, invocation.Output.Note, invocation.Interrupt.Token);
        }

        TextScores? scores = null;
        OutputFile.Write(file, stream =>
        {
            using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true);
            var table = new TokenTable(writer, trained.Tokenizer);
            table.Begin("document", "position");
            scores = trained.ScoreTokens(corpus, part, stride, token => table.Add(token.Score, token.Document, token.Position), invocation.Output.Note, invocation.Interrupt.Token);
        });
        invocation.Output.Note($"a line for each token is in {file}");
        return scores;
    }

    /// <summary>What scores of tokens say besides, for the table.</summary>
    public static string[][] Rows(TextScores scores) =>
    [
        ["words", Display.Count(scores.Words)],
        ["per word", Display.Number(scores.WordPerplexity, scores.WordPerplexity < 1e9 ? "0.00" : "g4")],
        ["calibration error", Display.Figure(scores.Calibration.Error)],
    ];

    /// <summary>The same as JSON.</summary>
    public void Add(JsonObject json, Invocation invocation, TextScores scores)
    {
        json["words"] = scores.Words;
        json["wordPerplexity"] = scores.WordPerplexity;
        json["bytePerplexity"] = scores.BytePerplexity;
        json["calibrationError"] = scores.Calibration.Error;
        json["stride"] = invocation.Get(_stride);
    }

    private int? Stride(Invocation invocation, TrainedModel trained) => invocation.Get(_stride) is not { } stride ? null
        : stride <= trained.Config.Model.Context ? (int)stride
        : throw UserException.Usage($"--stride {stride}: the model reads {trained.Config.Model.Context} tokens at a time; expected at most that");
}
