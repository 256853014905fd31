using System.Text;
using System.Text.Json.Nodes;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Generation.Batching;
using NanoFold.Engine.Text;
using NanoFold.Server.Requests;

namespace NanoFold.Server.Answers;

/// <summary>How texts are told in one of the two shapes. An instance tells of one request.</summary>
/// <param name="prefix">Of its id.</param>
/// <param name="model">The name of the model.</param>
/// <param name="fields">Of the request; its seed, with which the same request gives the same texts again, is no field of the shape elsewhere.</param>
internal abstract class AnswerShape(string prefix, string model, TextFields fields)
{
    private readonly string _id = $"{prefix}-{Guid.NewGuid():N}";
    private readonly long _created = DateTimeOffset.UtcNow.ToUnixTimeSeconds();

    protected abstract string Kind { get; }

    protected abstract string PieceKind { get; }

    /// <summary>A choice of a whole answer.</summary>
    public abstract JsonObject Choice(int index, string text, JsonNode? scores, string finish);

    /// <summary>What stands before all pieces of a choice, or null.</summary>
    public virtual JsonObject? FirstPiece(int index) => null;

    /// <summary>A choice of an event of a stream.</summary>
    public abstract JsonObject Piece(int index, string text, JsonNode? scores, string? finish);

    /// <summary>Log-probabilities of some tokens of a text, each with how many characters of the text are whole before it.</summary>
    public abstract JsonNode Scores(Tokenizer tokenizer, IReadOnlyList<(WrittenToken Token, int Place)> tokens);

    /// <summary>A whole answer.</summary>
    public JsonObject Whole(IEnumerable<JsonNode> choices, JsonObject usage)
    {
        JsonObject answer = Head(Kind, choices);
        answer["usage"] = usage;
        return answer;
    }

    /// <summary>An event of a stream; with usage and no choice the last one. Where usage is asked for, the others have an empty one.</summary>
    public JsonObject Event(JsonObject? choice, JsonObject? usage = null)
    {
        JsonObject answer = Head(PieceKind, choice is null ? [] : [choice]);
        if (fields.IncludesUsage)
        {
            answer["usage"] = usage;
        }

        return answer;
    }

    public static JsonObject Usage(int promptTokens, int tokens) => new()
    {
        ["prompt_tokens"] = promptTokens, ["completion_tokens"] = tokens, ["total_tokens"] = promptTokens + tokens,
    };

    public static string Finish(FinishReason reason) => reason == FinishReason.Length ? "length" : "stop";

    /// <summary>A token as it stands in log-probabilities: its text, in which bytes that are no characters by themselves are escaped, or the name of a special one.</summary>
    protected static string Name(Tokenizer tokenizer, int token)
    {
        ReadOnlySpan<byte> bytes = tokenizer.BytesOf(token);
        if (bytes.IsEmpty)
        {
            return tokenizer.Describe(token);
        }

        string text = Encoding.UTF8.GetString(bytes);
        return text.Contains('\uFFFD', StringComparison.Ordinal) && !bytes.SequenceEqual(Encoding.UTF8.GetBytes(text))
            ? "bytes:" + string.Concat(bytes.ToArray().Select(value => $"\\x{value:x2}"))
            : text;
    }

    private JsonObject Head(string kind, IEnumerable<JsonNode> choices) => new()
    {
        ["id"] = _id, ["object"] = kind, ["created"] = _created, ["model"] = model, ["seed"] = fields.Seed, ["choices"] = new JsonArray([.. choices]),
    };
}

/// <summary>Of <c>/v1/completions</c>.</summary>
internal sealed class CompletionShape(string model, TextFields fields) : AnswerShape("cmpl", model, fields)
{
    protected override string Kind => "text_completion";

    protected override string PieceKind => Kind;

    public override JsonObject Choice(int index, string text, JsonNode? scores, string finish) => Piece(index, text, scores, finish);

    public override JsonObject Piece(int index, string text, JsonNode? scores, string? finish) => new()
    {
        ["text"] = text, ["index"] = index, ["logprobs"] = scores, ["finish_reason"] = finish,
    };

    public override JsonNode Scores(Tokenizer tokenizer, IReadOnlyList<(WrittenToken Token, int Place)> tokens)
    {
        JsonArray names = [], own = [], likeliest = [], places = [];
        foreach ((WrittenToken token, int place) in tokens)
        {
            string name = Name(tokenizer, token.Token);
            names.Add(name);
            own.Add(token.Scores!.LogProbability);
            var best = new JsonObject();
            foreach (TokenScore score in token.Scores.Likeliest)
            {
                best[Name(tokenizer, score.Token)] = score.LogProbability;
            }

            // There the drawn one is among them, whether likely or not.
            best[name] = token.Scores.LogProbability;
            likeliest.Add(token.Scores.Likeliest.Count > 0 ? best : null);
            places.Add(place);
        }

        return new JsonObject { ["tokens"] = names, ["token_logprobs"] = own, ["top_logprobs"] = likeliest, ["text_offset"] = places };
    }
}

/// <summary>Of <c>/v1/chat/completions</c>.</summary>
internal sealed class ChatShape(string model, TextFields fields) : AnswerShape("chatcmpl", model, fields)
{
    protected override string Kind => "chat.completion";

    protected override string PieceKind => "chat.completion.chunk";

    public override JsonObject Choice(int index, string text, JsonNode? scores, string finish) => new()
    {
        ["index"] = index,
        ["message"] = new JsonObject { ["role"] = "assistant", ["content"] = text, ["refusal"] = null },
        ["logprobs"] = scores,
        ["finish_reason"] = finish,
    };

    public override JsonObject FirstPiece(int index) => Delta(index, new JsonObject { ["role"] = "assistant", ["content"] = "" }, null, null);

    public override JsonObject Piece(int index, string text, JsonNode? scores, string? finish) =>
        Delta(index, text.Length > 0 ? new JsonObject { ["content"] = text } : [], scores, finish);

    public override JsonNode Scores(Tokenizer tokenizer, IReadOnlyList<(WrittenToken Token, int Place)> tokens) => new JsonObject
    {
        ["content"] = new JsonArray([.. tokens.Select(told =>
        {
            WrittenToken token = told.Token;
            JsonObject one = One(tokenizer, new TokenScore(token.Token, token.Scores!.LogProbability));
            one["top_logprobs"] = new JsonArray([.. token.Scores.Likeliest.Select(score => One(tokenizer, score))]);
            return one;
        })]),
        ["refusal"] = null,
    };

    private static JsonObject Delta(int index, JsonObject delta, JsonNode? scores, string? finish) => new()
    {
        ["index"] = index, ["delta"] = delta, ["logprobs"] = scores, ["finish_reason"] = finish,
    };

    private static JsonObject One(Tokenizer tokenizer, TokenScore score) => new()
    {
        ["token"] = Name(tokenizer, score.Token),
        ["logprob"] = score.LogProbability,
        ["bytes"] = new JsonArray([.. tokenizer.BytesOf(score.Token).ToArray().Select(value => (JsonNode)value)]),
    };
}
