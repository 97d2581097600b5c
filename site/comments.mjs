// A plugin of TypeDoc. The errors of a method become one list, each with its class: TypeDoc alone drops the classes, and
// gives each error a heading. A property of a named type without a comment is a warning: TypeDoc alone would warn of
// the properties of literal types too, which the comments around them describe.

import { Comment, CommentTag, Converter, ReflectionKind } from 'typedoc';
import ts from 'typescript';

/** @param {import('typedoc').Application} app */
export function load(app) {
  app.converter.on(Converter.EVENT_CREATE_SIGNATURE, (_context, signature, declaration) => {
    const thrown = signature.comment?.getTags('@throws') ?? [];
    if (!declaration || thrown.length === 0) return;
    const classes = ts
      .getJSDocTags(declaration)
      .filter(ts.isJSDocThrowsTag)
      .map(({ typeExpression }) => typeExpression?.type.getText());
    const list = thrown.flatMap(({ content }, index) => [
      { kind: 'text', text: '- ' },
      ...(classes[index]
        ? [
            { kind: 'inline-tag', tag: '@link', text: classes[index] },
            { kind: 'text', text: ': ' },
          ]
        : []),
      ...Comment.cloneDisplayParts(content).map((part) => ({ ...part, text: part.text.replaceAll('\n', ' ') })),
      { kind: 'text', text: '\n' },
    ]);
    const tags = signature.comment.blockTags;
    const others = tags.filter(({ tag }) => tag !== '@throws');
    others.splice(tags.indexOf(thrown[0]), 0, new CommentTag('@throws', list));
    signature.comment.blockTags = others;
  });
  app.converter.on(Converter.EVENT_RESOLVE_END, ({ project }) => {
    for (const property of project.getReflectionsByKind(ReflectionKind.Property)) {
      const isNamed = property.parent.kindOf([ReflectionKind.Interface, ReflectionKind.Class]);
      if (isNamed && !property.hasComment()) app.logger.warn(`${property.getFullName()} has no comment`);
    }
  });
}
