using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using NanoFold.Cli.Writing;
using NanoFold.Engine;
using NanoFold.Engine.Configuration;
using NanoFold.Engine.Generation;
using NanoFold.Engine.Text.Chat;

namespace NanoFold.Cli.Commands.Chat;

/// <summary>Reads messages and commands, and writes answers, until there are no more.</summary>
internal sealed class ChatLoop(Output output, Conversation conversation, ChatInput input)
{
    private static readonly JsonSerializerOptions s_plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    private static readonly string[][] s_help =
    [
        ["/reset [TEXT]", "forget all that was said; with a text, that is the system prompt from now on"],
        ["/undo", "take the last question and its answer back"],
        ["/retry", "another answer to the last question"],
        ["/save FILE", "write the conversation to a file: one line of JSON, as training on conversations takes it"],
        ["/set [NAME VALUE]", $"how answers are drawn: {string.Join(", ", ChatSettings.Names)}; without a name all of them"],
        ["/help", "this"],
        ["/exit", "the end, as Ctrl-D"],
        ["//…", "a message that begins with a slash"],
        ["…\\", "a backslash at the end of a line: the message goes on in the next"],
        ["Ctrl-C", "stop the answer"],
    ];

    private bool _isSound = true;

    /// <summary>What was answered, for the result.</summary>
    public JsonArray Answers { get; } = [];

    /// <summary>Runs to the end; false where something failed that nobody saw, for the lines came from a file.</summary>
    public bool Run()
    {
        if (input.IsTerminal)
        {
            output.Note("/help lists commands, /exit ends");
        }

        while (input.Read() is { } line)
        {
            if (line.StartsWith('/') && !line.StartsWith("//", StringComparison.Ordinal))
            {
                if (line.Trim() is "/exit" or "/quit")
                {
                    break;
                }

                Try(() => Command(line));
            }
            else if (line.Trim().Length > 0)
            {
                Try(() => Ask(line.StartsWith('/') ? line[1..] : line));
            }
        }

        return _isSound || input.IsTerminal;
    }

    private void Try(Action action)
    {
        try
        {
            action();
        }
        catch (ConfigException e)
        {
            foreach (ConfigProblem problem in e.Problems)
            {
                output.Note(problem.ToString());
            }

            _isSound = false;
        }
        catch (UserException e)
        {
            output.Note(e.Message);
            _isSound = false;
        }
    }

    private void Ask(string? question)
    {
        bool isBegun = false;
        var shown = new WrappedText(output.Text, Output.Columns(output.Text));
        (ChatAnswer answer, ChatHistory history) = input.WhileWriting(stop => conversation.Ask(question, Write, stop));
        shown.End();
        output.Text.WriteLine();
        if (answer.IsStopped)
        {
            output.Note(answer.Text.Length > 0 ? "stopped" : $"stopped before anything was written; {(question is null ? "the answer before stays" : "the question is taken back")}");
        }
        else if (answer.Finish == FinishReason.Length)
        {
            output.Note(answer.TokenIds.Count >= conversation.Settings.MaxTokens
                ? $"cut after {Display.Count(answer.TokenIds.Count, "token")}; /set max-tokens changes that"
                : "cut, for the context is full; /reset or /undo makes room");
        }

        if (history.Dropped > 0)
        {
            output.Note($"the oldest {Display.Count(history.Dropped, "message")} {(history.Dropped == 1 ? "was" : "were")} left out: all of them do not fit into the context");
        }

        Answers.Add(new JsonObject
        {
            ["text"] = answer.Text.TrimStart(),
            ["tokenIds"] = new JsonArray([.. answer.TokenIds.Select(id => (JsonNode)id)]),
            ["finish"] = answer.IsStopped ? "interrupted" : answer.Finish.ToString().ToLowerInvariant(),
            ["promptTokens"] = answer.PromptTokens,
            ["keptTokens"] = answer.KeptTokens,
            ["droppedMessages"] = history.Dropped,
            ["tokensPerSecond"] = answer.TokensPerSecond,
        });

        // Some templates leave a space to the model.
        void Write(string text)
        {
            text = isBegun ? text : text.TrimStart();
            isBegun |= text.Length > 0;
            shown.Write(text);
        }
    }

    private void Command(string line)
    {
        string[] words = line.Split([' ', '\t'], 2, StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        string rest = words.Length > 1 ? words[1] : "";
        switch (words[0])
        {
            case "/reset":
                conversation.Reset(rest.Length > 0 ? rest : null);
                output.Note(rest.Length > 0 ? "begun anew, with another system prompt" : "begun anew");
                break;
            case "/undo":
                output.Note(conversation.Undo() ? "the last question and its answer are taken back" : "there is no question to take back");
                break;
            case "/retry" when conversation.HasAnswer:
                if (conversation.Settings.Temperature == 0)
                {
                    output.Note("at temperature 0 the answer is the same; /set temperature 0.8 changes that");
                }

                Ask(null);
                break;
            case "/retry":
                output.Note("there is no answer yet");
                break;
            case "/save":
                Save(rest);
                break;
            case "/set" when rest.Length == 0:
                output.Table(numbers: false, [.. ChatSettings.All(conversation)]);
                break;
            case "/set":
                ChatSettings.Change(conversation, rest);
                break;
            case "/help":
                output.Table(numbers: false, s_help);
                break;
            default:
                throw new UserException($"{words[0]}: is no command; /help lists them, and a message that begins with a slash is written with two");
        }
    }

    private void Save(string path)
    {
        if (path.Length == 0)
        {
            throw new UserException("/save needs the name of a file");
        }

        OutputFile.Require(path, "/save");
        string json = new JsonObject { ["messages"] = conversation.ToJson() }.ToJsonString(s_plain);
        OutputFile.Write(path, stream => stream.Write(Encoding.UTF8.GetBytes(json + "\n")));
        output.Note($"{Display.Count(conversation.Messages.Count, "message")} written to {path}");
    }
}
