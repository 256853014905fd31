using System.Runtime.InteropServices;
using NanoFold.Engine.Autograd;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Model;
using NanoFold.Engine.Text;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Engine.Generation;

/// <summary>
/// Answers in a conversation. What the model has read stays with it from turn to turn: where a conversation goes on from the one before, only what is new is read.
/// </summary>
/// <remarks>For one thread at a time.</remarks>
public sealed class ChatWriter : IDisposable
{
    private readonly Transformer _model;
    private readonly Tokenizer _tokenizer;
    private readonly ChatEnd _end;
    private readonly Decoder _decoder;
    private readonly float[] _logits;

    // What the decoder was given and not told to forget.
    private readonly List<int> _read = [];

    /// <param name="model">In float32; not disposed here.</param>
    /// <param name="tokenizer">The one that the model was trained with.</param>
    /// <param name="template">How a conversation is written.</param>
    /// <param name="taps">Readers and editors of the model while it writes; null for none.</param>
    /// <exception cref="UserException">The tokenizer has tokens that the model does not know, or a point of the taps is not there.</exception>
    public ChatWriter(Transformer model, Tokenizer tokenizer, ChatTemplate template, TapSet? taps = null)
    {
        if (tokenizer.Vocab > model.Config.Vocab)
        {
            throw new UserException($"tokenizer: has {tokenizer.Vocab} tokens, but the model knows {model.Config.Vocab}; use the tokenizer that the model was trained with");
        }

        (_model, _tokenizer, Template) = (model, tokenizer, template);
        _end = ChatEnd.Of(template, tokenizer);
        _logits = new float[model.Config.Vocab];
        _decoder = new Decoder(model, batch: 1);
        if (taps is not null)
        {
            _decoder.Taps = taps;
            _decoder.Prepare();
        }
    }

    /// <summary>How a conversation is written.</summary>
    public ChatTemplate Template { get; }

    /// <summary>What ends an answer.</summary>
    public ChatEnd End => _end;

    /// <summary>Tokens that the model sees.</summary>
    public int Context => _model.Config.Context;

    /// <summary>Throws where <see cref="Answer"/> would, for these options.</summary>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    public void Require(GenerationConfig options) => OptionCheck.Validate(options, Context);

    /// <summary>The conversation as far as it leaves room for an answer: as many tokens as one may have, at most half of the context.</summary>
    /// <exception cref="UserException">The template refuses it, or the last question alone is too long.</exception>
    public ChatHistory Fit(IReadOnlyList<ChatMessage> messages, GenerationConfig options) => ChatHistory.Fit(Template, _tokenizer, messages, Context - Math.Min(options.MaxTokens, Context / 2));

    /// <summary>Writes the answer to a conversation.</summary>
    /// <param name="history">The conversation, of which at least one token is free in the context.</param>
    /// <param name="options">Checked here.</param>
    /// <param name="seed">Of the draws.</param>
    /// <param name="number">How many answers to the same conversation were drawn with that seed before.</param>
    /// <param name="onText">Told of new text as it comes, in whole characters and never beyond what ends the answer.</param>
    /// <param name="stop">Ends the answer where it is.</param>
    /// <exception cref="ConfigException">Options are out of their ranges.</exception>
    public ChatAnswer Answer(ChatHistory history, GenerationConfig options, ulong seed, int number = 0, Action<string>? onText = null, CancellationToken stop = default)
    {
        Require(options);
        var sampler = new Sampler(options, _tokenizer.Vocab, seed);
        var characters = new Utf8Stream();
        var text = new StopText([.. options.Stop, .. _end.Texts]);
        var clock = new DecodeClock();
        List<int> tokens = [.. history.Ids];
        int prompt = tokens.Count, kept = Begin(history.Ids);
        FinishReason? finish = null;
        clock.Begin();
        while (finish is null && !stop.IsCancellationRequested)
        {
            _decoder.Run();
            if (!_decoder.HasLogits(0))
            {
                continue;
            }

            _decoder.ReadLogits(0, _logits);
            if (options.IgnoreEos)
            {
                Forbid();
            }

            int token = sampler.Next(_logits.AsSpan(0, _tokenizer.Vocab), CollectionsMarshal.AsSpan(tokens), number, prompt);
            clock.Add();
            tokens.Add(token);
            finish = EndsAnswer(token) ? FinishReason.Eos : null;
            string ready = finish is null ? text.Append(characters.Write(_tokenizer.BytesOf(token))) : text.Append(characters.Flush()) + text.Finish();
            finish ??= text.IsStopped ? FinishReason.Stop : tokens.Count - prompt >= options.MaxTokens || (tokens.Count >= Context && !_model.SlidesOn) ? FinishReason.Length : null;
            ready += finish == FinishReason.Length ? text.Finish() : "";
            if (ready.Length > 0)
            {
                onText?.Invoke(ready);
            }

            if (finish is null)
            {
                _decoder.Append(0, token);
                _read.Add(token);
            }
        }

        int written = tokens.Count - prompt;
        bool isStopped = finish is null;
        string rest = isStopped ? text.Finish() : "";
        if (rest.Length > 0)
        {
            onText?.Invoke(rest);
        }

        return new ChatAnswer(text.ToString(), tokens[prompt..], finish ?? FinishReason.Length, isStopped, prompt, kept, written > 0 ? clock.TokensPerSecond : 0);
    }

    /// <inheritdoc/>
    public void Dispose() => _decoder.Dispose();

    // Gives the decoder the conversation; returns how much of it is there already.
    private int Begin(ReadOnlySpan<int> ids)
    {
        ReadOnlySpan<int> read = CollectionsMarshal.AsSpan(_read);
        int kept = read.Length < ids.Length && ids.Length <= Context && ids.StartsWith(read) ? read.Length : 0;
        if (kept == 0)
        {
            _read.Clear();
            _decoder.Begin(0, ids);
        }
        else
        {
            foreach (int id in ids[kept..])
            {
                _decoder.Append(0, id);
            }
        }

        _read.AddRange(ids[kept..]);
        return kept;
    }

    private bool EndsAnswer(int token) => token == _tokenizer.Eos || _end.Tokens.Contains(token);

    private void Forbid()
    {
        foreach (int token in _end.Tokens)
        {
            _logits[token] = float.NegativeInfinity;
        }

        if (_tokenizer.Eos is { } eos)
        {
            _logits[eos] = float.NegativeInfinity;
        }
    }
}

/// <summary>What a model said in a conversation.</summary>
/// <param name="Text">Without what ended it.</param>
/// <param name="TokenIds">Every token that was sampled; the last ones may be the mark that ended it.</param>
/// <param name="Finish">Why it ended: <see cref="FinishReason.Length"/> also where the context was full.</param>
/// <param name="IsStopped">It was stopped on the way, whatever <paramref name="Finish"/> says.</param>
/// <param name="PromptTokens">Tokens of the conversation before it.</param>
/// <param name="KeptTokens">How many of them the model still knew from the turn before.</param>
/// <param name="TokensPerSecond">Of sampling, from the first token on; 0 where there are none.</param>
public sealed record ChatAnswer(string Text, IReadOnlyList<int> TokenIds, FinishReason Finish, bool IsStopped, int PromptTokens, int KeptTokens, double TokensPerSecond);
