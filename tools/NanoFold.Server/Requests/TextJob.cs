using NanoFold.Engine.Generation;
using NanoFold.Engine.Generation.Batching;

namespace NanoFold.Server.Requests;

/// <summary>A request as it was understood: the texts to write, and how they are told.</summary>
internal sealed record TextJob
{
    /// <summary>One for each choice, with what <see cref="TextRequest"/> says of text, draws and end.</summary>
    public required IReadOnlyList<TextRequest> Texts { get; init; }

    /// <summary>What stands before each text where the answer is to have it, otherwise empty.</summary>
    public required IReadOnlyList<string> Echoes { get; init; }

    /// <summary>All prompts' tokens, each prompt counted once.</summary>
    public required int PromptTokens { get; init; }

    public required TextFields Fields { get; init; }

    /// <summary>Makes a request for each choice of each prompt; of equal prompts they are numbered on, as <c>generate</c> does.</summary>
    /// <exception cref="ApiException">A prompt is too long, or more texts or tokens are asked for than there may be.</exception>
    public static TextJob Of(
        ServedModel served, ServerOptions server, TextFields fields, IReadOnlyList<int[]> prompts, IReadOnlyList<string> echoes, int? likeliest, bool fillsContext, IReadOnlyList<int> endTokens)
    {
        int most = server.MostTokens ?? int.MaxValue;
        if (fields.MaxTokens > most)
        {
            throw ApiException.Field("max_tokens", $"is {fields.MaxTokens}; this server writes at most {most}");
        }

        int count = prompts.Count * fields.Choices;
        if (count > server.Streams + server.Queue)
        {
            throw ApiException.Field("n", $"{count} texts in one request; this server holds at most {server.Streams + server.Queue}");
        }

        var texts = new List<TextRequest>(count);
        var numbers = new Dictionary<string, int>();
        foreach (int[] prompt in prompts)
        {
            if (prompt.Length > served.MostPromptTokens)
            {
                throw new ApiException(400, $"the prompt has {prompt.Length} tokens; the model sees {served.Context}, one of which it has to write", "prompt", "context_length_exceeded");
            }

            // A conversation does not go on without its beginning.
            int room = fillsContext && !served.Model.SlidesOn ? served.Context - prompt.Length : int.MaxValue;
            int tokens = fields.MaxTokens ?? Math.Min(room < int.MaxValue ? room : served.Defaults.MaxTokens, most);
            GenerationConfig options = fields.Options with { MaxTokens = Math.Min(tokens, room) };
            string key = string.Join(' ', prompt);
            for (int choice = 0; choice < fields.Choices; choice++)
            {
                int number = numbers[key] = numbers.TryGetValue(key, out int before) ? before + 1 : 0;
                texts.Add(new TextRequest
                {
                    Prompt = prompt, Options = options, Seed = (ulong)fields.Seed, Number = number, Likeliest = likeliest, EndTokens = endTokens, OnEnd = _ => { },
                });
            }
        }

        return new TextJob { Texts = texts, Echoes = [.. echoes.SelectMany(echo => Enumerable.Repeat(echo, fields.Choices))], PromptTokens = prompts.Sum(prompt => prompt.Length), Fields = fields };
    }
}
