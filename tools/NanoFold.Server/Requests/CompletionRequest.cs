using System.Text.Json;
using NanoFold.Engine.Generation;

namespace NanoFold.Server.Requests;

/// <summary>The body of <c>POST /v1/completions</c>.</summary>
internal static class CompletionRequest
{
    private const int MostLikeliest = 20, MostPrompts = 256;

    /// <exception cref="ApiException">Something of it is wrong.</exception>
    public static TextJob Read(JsonElement body, ServedModel served, ServerOptions server)
    {
        var fields = new RequestFields(body);
        TextFields common = TextFields.Read(fields, served);
        JsonElement prompt = fields.Get("prompt") ?? throw new ApiException(400, "prompt: is missing", "prompt", "missing_required_parameter");
        int? likeliest = (int?)fields.Integer("logprobs", 0, MostLikeliest);
        bool echo = fields.Flag("echo") ?? false;
        fields.Refuse("suffix", "is not there; the model writes onwards only", TextFields.IsEmpty);
        fields.Refuse("best_of", "is not there; ask for n texts", value => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out long best) && best == common.Choices);
        fields.RequireKnown();
        if (echo && likeliest is not null)
        {
            throw ApiException.Field("echo", "is not there together with logprobs; nanofold eval scores the tokens of a text");
        }

        int[][] prompts = [.. Prompts(prompt, served)];
        string[] echoes = [.. prompts.Select(tokens => echo ? served.Tokenizer.DecodeText(tokens) : "")];
        return TextJob.Of(served, server, common, prompts, echoes, likeliest, fillsContext: false, []);
    }

    private static IEnumerable<int[]> Prompts(JsonElement prompt, ServedModel served)
    {
        if (prompt.ValueKind == JsonValueKind.String)
        {
            return [Encoded(prompt, served)];
        }

        JsonElement[] items = prompt.ValueKind == JsonValueKind.Array ? [.. prompt.EnumerateArray()] : [];
        if (items.Length is > 0 and <= MostPrompts && items.All(item => item.ValueKind == JsonValueKind.String))
        {
            return items.Select(item => Encoded(item, served));
        }

        if (items.Length > 0 && items.All(item => item.ValueKind == JsonValueKind.Number))
        {
            return [Tokens(items, served)];
        }

        return items.Length is > 0 and <= MostPrompts && items.All(item => item.ValueKind == JsonValueKind.Array && item.GetArrayLength() > 0)
            ? items.Select(item => Tokens(item.EnumerateArray(), served))
            : throw RequestFields.Wrong("prompt", prompt, $"a text, token ids, or a list of at most {MostPrompts} of these");
    }

    private static int[] Encoded(JsonElement text, ServedModel served) => Generator.PromptTokens(served.Tokenizer, text.GetString()!, specials: false);

    private static int[] Tokens(IEnumerable<JsonElement> items, ServedModel served) =>
    [
        .. items.Select(item => item.ValueKind == JsonValueKind.Number && item.TryGetInt32(out int id) && (uint)id < (uint)served.Tokenizer.Vocab
            ? id
            : throw RequestFields.Wrong("prompt", item, $"token ids from 0 to {served.Tokenizer.Vocab - 1}")),
    ];
}
