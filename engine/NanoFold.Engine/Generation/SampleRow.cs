using System.Runtime.InteropServices;
using NanoFold.Engine.Text;

namespace NanoFold.Engine.Generation;

/// <summary>One sample while it grows: its tokens, its text, and whether it has ended.</summary>
internal sealed class SampleRow
{
    private readonly string _prompt;
    private readonly Tokenizer _tokenizer;
    private readonly int _maxTokens;
    private readonly bool _ignoresEnd;
    private readonly int _promptTokens;
    private readonly List<int> _tokens;
    private readonly Utf8Stream _characters = new();
    private readonly StopText _text;

    /// <param name="prompt">As it was given.</param>
    /// <param name="number">See <see cref="Number"/>.</param>
    /// <param name="tokens">Of the prompt.</param>
    /// <param name="tokenizer">Of the model.</param>
    /// <param name="options">How it is sampled.</param>
    public SampleRow(string prompt, int number, IReadOnlyList<int> tokens, Tokenizer tokenizer, GenerationConfig options)
    {
        _prompt = prompt;
        Number = number;
        _tokenizer = tokenizer;
        _maxTokens = options.MaxTokens;
        _ignoresEnd = options.IgnoreEos;
        _text = new StopText(options.Stop);
        _tokens = [.. tokens];
        _promptTokens = _tokens.Count;
    }

    /// <summary>How many equal prompts stand before this one.</summary>
    public int Number { get; }

    /// <summary>Tokens before the first sampled one.</summary>
    public int PromptTokens => _promptTokens;

    /// <summary>Tokens besides the tokenizer's own mark that end the text.</summary>
    public IReadOnlyList<int> EndTokens { get; init; } = [];

    /// <summary>The output so far, without what may still become a stop string once it has ended.</summary>
    public string Text => _text.ToString();

    /// <summary>Prompt and output.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>Tokens at the beginning of the prompt (after those that are kept) that the model does not see.</summary>
    public int DroppedPromptTokens { get; set; }

    public FinishReason? Finish { get; private set; }

    /// <summary>Draws the next token and adds it.</summary>
    /// <param name="sampler">Of the vocabulary of the tokenizer.</param>
    /// <param name="logits">Of the model, at least of that vocabulary; changed.</param>
    /// <param name="text">What can be shown now.</param>
    /// <exception cref="UserException">A logit is not a number or infinitely large.</exception>
    public int Draw(Sampler sampler, Span<float> logits, out string text)
    {
        if (_ignoresEnd)
        {
            foreach (int end in EndTokens)
            {
                logits[end] = float.NegativeInfinity;
            }

            if (_tokenizer.Eos is { } eos)
            {
                logits[eos] = float.NegativeInfinity;
            }
        }

        int token = sampler.Next(logits[.._tokenizer.Vocab], Tokens, Number, PromptTokens);
        text = Add(token);
        return token;
    }

    private string Add(int token)
    {
        _tokens.Add(token);
        if (token == _tokenizer.Eos || EndTokens.Contains(token))
        {
            Finish = FinishReason.Eos;
            return _text.Append(_characters.Flush()) + _text.Finish();
        }

        string ready = _text.Append(_characters.Write(_tokenizer.BytesOf(token)));
        if (_text.IsStopped)
        {
            Finish = FinishReason.Stop;
        }
        else if (_tokens.Count - _promptTokens >= _maxTokens)
        {
            Finish = FinishReason.Length;
            ready += _text.Finish();
        }

        return ready;
    }

    /// <summary>What was held back, where it is ended from outside.</summary>
    public string Rest() => _text.Finish();

    public GeneratedSample ToSample() => new(_prompt, _text.ToString(), [.. _tokens[_promptTokens..]], Finish!.Value, DroppedPromptTokens, Number);
}
