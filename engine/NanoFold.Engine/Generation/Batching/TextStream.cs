using NanoFold.Engine.Text;

namespace NanoFold.Engine.Generation.Batching;

/// <summary>A request in its row: its sampler and its text so far.</summary>
internal sealed class TextStream
{
    private readonly TextRequest _request;
    private readonly SampleRow _row;
    private readonly Sampler _sampler;
    private readonly Tokenizer _tokenizer;

    public TextStream(TextRequest request, Tokenizer tokenizer)
    {
        _request = request;
        _tokenizer = tokenizer;
        _row = new SampleRow("", request.Number, request.Prompt, tokenizer, request.Options) { EndTokens = request.EndTokens };
        _sampler = new Sampler(request.Options, tokenizer.Vocab, request.Seed);
    }

    public bool IsCancelled => _request.Cancel.IsCancellationRequested;

    public bool HasEnded => _row.Finish is not null;

    /// <summary>Gives a row of a decoder what it begins with.</summary>
    public void Begin(BatchDecoder decoder, int row) => _row.DroppedPromptTokens = decoder.Begin(row, _row.Tokens, _request.Options.Keep);

    /// <summary>Draws the next token from the model's logits, which it may change, as a <see cref="Generator"/> does.</summary>
    public int Draw(Span<float> logits)
    {
        // What forbids the end, and the penalty, change the logits.
        float[]? own = _request.Likeliest is null ? null : logits[.._tokenizer.Vocab].ToArray();
        int token = _row.Draw(_sampler, logits, out string text);
        _request.OnToken?.Invoke(new WrittenToken(token, text, own is null ? null : TokenScores.Of(own, token, _request.Likeliest!.Value)));
        return token;
    }

    public void End(Exception? fault = null) =>
        _request.OnEnd(new WrittenText(_row.Text, _row.Tokens.Length - _row.PromptTokens, fault is null ? _row.Finish : null, fault) { DroppedPromptTokens = _row.DroppedPromptTokens });
}
