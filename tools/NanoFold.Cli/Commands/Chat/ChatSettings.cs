using System.Globalization;
using NanoFold.Engine;
using NanoFold.Engine.Generation;

namespace NanoFold.Cli.Commands.Chat;

/// <summary>What <c>/set</c> changes: the options of the command line by their names.</summary>
internal static class ChatSettings
{
    private static readonly (string Name, Func<GenerationConfig, object> Read, Func<GenerationConfig, double, GenerationConfig> Write)[] s_all =
    [
        ("temperature", settings => settings.Temperature, (settings, value) => settings with { Temperature = value }),
        ("top-k", settings => settings.TopK, (settings, value) => settings with { TopK = (int)value }),
        ("top-p", settings => settings.TopP, (settings, value) => settings with { TopP = value }),
        ("min-p", settings => settings.MinP, (settings, value) => settings with { MinP = value }),
        ("repetition-penalty", settings => settings.RepetitionPenalty, (settings, value) => settings with { RepetitionPenalty = value }),
        ("max-tokens", settings => settings.MaxTokens, (settings, value) => settings with { MaxTokens = (int)value }),
    ];

    private const string Seed = "seed";

    public static IEnumerable<string> Names => [.. s_all.Select(one => one.Name), Seed];

    /// <summary>All of them with their values.</summary>
    public static IEnumerable<string[]> All(Conversation conversation) =>
        [.. s_all.Select(one => (string[])[one.Name, Convert.ToString(one.Read(conversation.Settings), CultureInfo.InvariantCulture)!]), [Seed, conversation.Seed.ToString(CultureInfo.InvariantCulture)]];

    /// <summary>Changes one.</summary>
    /// <param name="conversation">Whose.</param>
    /// <param name="text">A name and a value.</param>
    /// <exception cref="UserException">There is no such setting, or its value is none.</exception>
    public static void Change(Conversation conversation, string text)
    {
        string[] words = text.Split([' ', '\t', '='], StringSplitOptions.RemoveEmptyEntries);
        string given = words is [var first, ..] ? first : text, name = given.TrimStart('-');
        int at = Array.FindIndex(s_all, one => one.Name == name);
        if (at < 0 && name != Seed)
        {
            throw new UserException($"/set {given}: is no setting; those that are: {string.Join(", ", Names)}");
        }

        if (words.Length != 2 || !double.TryParse(words[1], NumberStyles.Float, CultureInfo.InvariantCulture, out double value))
        {
            throw new UserException($"/set {name}: expected one number");
        }

        if (name == Seed)
        {
            conversation.Seed = long.TryParse(words[1], NumberStyles.None, CultureInfo.InvariantCulture, out long seed) ? seed : throw new UserException("/set seed: expected a whole number from 0");
            return;
        }

        if (s_all[at].Read(conversation.Settings) is int && (!double.IsInteger(value) || Math.Abs(value) > int.MaxValue))
        {
            throw new UserException($"/set {name}: expected a whole number");
        }

        conversation.Change(s_all[at].Write(conversation.Settings, value));
    }
}
